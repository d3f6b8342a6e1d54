//! Lines as a stream: which section each of them goes to. A device asks the innermost section that is open, then the ones
//! around it; it does not look at indentation. People do, so that both must agree, or the line is in doubt. Next:
//! [`typed`] for how a line is read, [`super::apply`] for what it does.

mod typed;

use self::typed::{is_exec, text_of};
use std::collections::BTreeSet;

use super::apply::{Effect, Entered, Level, begins, sweep};
use super::{Lines, Merged, Unmodelled, Why};
use crate::config::Node;
use crate::physical::{self, Physical, Written, words};
use crate::rules::{Hit, Kind, Mode, Negation, Table, find, find_abbreviated, keyed, split_negation};
use crate::{Config, Platform, diff, interfaces};

/// A section that is open. An `interface range` opens several at once.
#[derive(Clone)]
struct Frame {
    /// Column of its header.
    column: usize,
    header: String,
    places: Vec<Vec<usize>>,
    mode: Option<&'static Mode>,
    /// Whether a line of it stood further to the right than its header.
    indented: bool,
    /// A block is open until its own last line.
    block: bool,
}

/// How a line was understood.
struct Meant {
    /// Number of the frame that takes it.
    frame: usize,
    hit: Option<Hit<'static>>,
    doubt: Option<Why>,
}

pub(super) struct Stream {
    platform: Platform,
    after: Config,
    frames: Vec<Frame>,
    unmodelled: Vec<Unmodelled>,
    ended: bool,
    /// Whether the line that is being entered stood where it goes, and takes no others with it; nothing before it is known where
    /// it goes.
    standing: Option<bool>,
}

impl Stream {
    /// Enters all lines.
    pub(super) fn enter(before: &Config, lines: &Lines) -> Merged {
        let mut stream = Self::over(before);
        stream.all(lines, |stream, _, line, value| stream.line(line, value));
        Merged { after: stream.after, unmodelled: stream.unmodelled }
    }

    /// Enters all lines, and says which of those that are asked about left everything as it was. The others are not looked at:
    /// to look means to compare the whole configuration.
    pub(super) fn idle(before: &Config, lines: &Lines, asked: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut idle = BTreeSet::new();
        Self::over(before).all(lines, |stream, number, line, value| {
            if !asked.contains(&number) {
                return stream.line(line, value);
            }
            let (was, doubts) = (stream.after.clone(), stream.unmodelled.len());
            stream.standing = None;
            stream.line(line, value);
            // A `no` that says no more than its absence would is not kept.
            let same = || stream.after == was || diff(&was, &stream.after).is_empty();
            if stream.standing == Some(true) && stream.unmodelled.len() == doubts && same() {
                idle.insert(number);
            }
        });
        idle
    }

    fn over(before: &Config) -> Self {
        let platform = before.platform();
        let root = Frame {
            column: 0,
            header: String::new(),
            places: vec![Vec::new()],
            mode: Table::of(platform).root(),
            indented: false,
            block: false,
        };
        let (after, frames) = (before.clone(), vec![root]);
        Self { platform, after, frames, unmodelled: Vec::new(), ended: false, standing: None }
    }

    /// Takes the lines one by one: with their number in the text, and the whole value of one that goes on over several.
    fn all(&mut self, lines: &Lines, mut take: impl FnMut(&mut Self, usize, Physical<'_>, Option<String>)) {
        let platform = self.platform;
        let mut physical = lines.text().lines().enumerate();
        while let Some((number, raw)) = physical.next() {
            let line = Physical::of(raw);
            if line.text.is_empty() || line.text.starts_with('!') || line.text == ":" || line.text.starts_with(": ") {
                continue;
            }
            if let Some(delimiter) = physical::opens_banner(platform, line.text, Written::ForDevice) {
                let value = physical::banner_text(line.text, &delimiter, &mut physical.by_ref().map(|(_, line)| line));
                self.frames.truncate(1);
                take(self, number, Physical { indent: line.indent, text: line.text }, Some(value));
            } else {
                take(self, number, line, None);
            }
        }
    }

    fn doubt(&mut self, line: &str, why: Why) {
        let within = self.frames.iter().skip(1).map(|frame| frame.header.clone()).collect();
        self.unmodelled.push(Unmodelled { within, line: physical::first_line(line).to_owned(), why });
    }

    fn line(&mut self, line: Physical<'_>, value: Option<String>) {
        if self.ended {
            return self.doubt(line.text, Why::NotConfiguration);
        }
        if self.inside_block(line) || self.closes(line.text) {
            return;
        }
        let typed = words(line.text);
        let (negation, body) = split_negation(&typed);
        if is_exec(self.platform, body) {
            return self.doubt(line.text, Why::NotConfiguration);
        }
        if negation == Negation::Default && matches!(self.platform, Platform::IosXr | Platform::Asa) {
            return self.doubt(line.text, Why::UnknownLine);
        }
        let named = self.named(body);
        let Some(lists) = named else { return self.doubt(line.text, Why::Abbreviated) };
        let mut opened: Vec<Frame> = Vec::new();
        for body in &lists {
            let body: Vec<&str> = body.iter().map(String::as_str).collect();
            let meant = match self.meant(&body, negation, line) {
                Ok(meant) => meant,
                Err(why) => return self.doubt(line.text, why),
            };
            self.frames.truncate(meant.frame + 1);
            if negation == Negation::No && meant.hit.as_ref().is_some_and(|hit| self.is_held(hit)) {
                return self.doubt(line.text, Why::Refused);
            }
            if let Some(frame) = self.frames.last_mut()
                && line.indent > frame.column
                && meant.frame > 0
            {
                frame.indented = true;
            }
            let text = text_of(&meant, &body, negation, line.text, &typed, value.as_deref());
            opened.extend(self.enter_in(&meant, negation, &body, text, line));
        }
        self.open(opened);
    }

    /// Enters one line into every section that the frame stands for; gives the section that it opened.
    fn enter_in(
        &mut self,
        meant: &Meant,
        negation: Negation,
        body: &[&str],
        text: String,
        line: Physical<'_>,
    ) -> Option<Frame> {
        let frame = self.frames.get(meant.frame)?.clone();
        let stays = negation != Negation::None
            && matches!(body, ["interface", ..])
            && !interfaces::is_removable(self.platform, &body.get(1..).unwrap_or_default().join(" "));
        let body_text = match negation {
            Negation::None => text.clone(),
            Negation::No | Negation::Default => {
                text.split_once(' ').map_or_else(String::new, |(_, body)| body.to_owned())
            }
        };
        let mut places = Vec::new();
        let mut doubt = meant.doubt;
        let alone = meant.hit.as_ref().is_some_and(|hit| hit.rule.wipes.is_empty());
        for place in &frame.places {
            if meant.hit.as_ref().is_some_and(|hit| self.renames(place, &frame, hit, negation)) {
                doubt = doubt.or(Some(Why::SideEffects));
            }
            let Some(nodes) = nodes_at(&mut self.after, place) else { continue };
            let stood = alone && nodes.iter().any(|node| node.text == text);
            self.standing = Some(stood && self.standing != Some(false));
            let entered =
                Entered { negation, hit: meant.hit.as_ref(), text: text.clone(), body: body_text.clone(), stays };
            let Effect { opened, doubt: own } = Level { nodes, mode: frame.mode }.enter(&entered);
            doubt = doubt.or(own);
            if let Some(at) = opened {
                places.push(place.iter().copied().chain([at]).collect());
            }
        }
        if negation == Negation::No
            && let Some(hit) = &meant.hit
        {
            doubt = doubt.or(self.side_effects(hit));
        }
        if let Some(why) = doubt {
            self.doubt(line.text, why);
        }
        if places.is_empty() {
            return None;
        }
        let mode = meant.hit.as_ref().and_then(|hit| Table::of(self.platform).opened_by(hit.rule));
        if frame.mode.is_some_and(|mode| mode.raw) {
            return None;
        }
        let block = meant.hit.as_ref().is_some_and(|hit| hit.rule.kind == Kind::Block);
        let opens = meant.hit.as_ref().is_none_or(|hit| hit.rule.opens());
        opens.then_some(Frame { column: line.indent, header: text, places, mode, indented: false, block })
    }

    fn open(&mut self, mut opened: Vec<Frame>) {
        let Some(mut frame) = opened.pop() else { return };
        for other in opened {
            frame.places.extend(other.places);
        }
        self.frames.push(frame);
    }

    /// Lines of a block are its text, whatever they look like, until the line that closes it.
    fn inside_block(&mut self, line: Physical<'_>) -> bool {
        let Some(block) = self.frames.iter().position(|frame| frame.block) else { return false };
        let header = self.frames.get(block).map(|frame| frame.header.clone()).unwrap_or_default();
        if physical::closing_of(self.platform, &header) == Some(line.text) {
            self.frames.truncate(block);
            return true;
        }
        // The words of a policy nest by themselves: what stands between `if` and `endif` is below the `if`.
        let word = words(line.text).first().map_or("", |word| *word);
        if matches!(word, "elseif" | "else" | "endif") && self.frames.len() > block + 1 {
            self.frames.truncate(self.frames.len() - 1);
        }
        let Some(frame) = self.frames.last().cloned() else { return false };
        let opens = matches!(word, "if" | "elseif" | "else");
        let mut places = Vec::new();
        for place in &frame.places {
            if let Some(nodes) = nodes_at(&mut self.after, place) {
                nodes.push(Node::new(line.text));
                places.push(place.iter().copied().chain([nodes.len() - 1]).collect());
            }
        }
        if opens {
            let header = line.text.to_owned();
            self.frames.push(Frame {
                column: line.indent,
                header,
                places,
                mode: frame.mode,
                indented: true,
                block: false,
            });
        }
        true
    }

    /// Lines that only close sections.
    fn closes(&mut self, text: &str) -> bool {
        let depth = self.frames.len();
        match text {
            "end" => {
                self.frames.truncate(1);
                self.ended = true;
            }
            "root" | "commit" if self.platform == Platform::IosXr => self.frames.truncate(1),
            "quit" if self.frames.last().is_some_and(|frame| frame.mode.is_some_and(|mode| mode.raw)) => {
                for place in self.frames.pop().map(|frame| frame.places).unwrap_or_default() {
                    if let Some(nodes) = nodes_at(&mut self.after, &place) {
                        nodes.push(Node::new(text));
                    }
                }
            }
            "exit" | "quit" => self.frames.truncate(depth.saturating_sub(1).max(1)),
            _ if physical::is_closing(text) => {
                let closed = self.frames.iter().rposition(|frame| {
                    physical::closing_of(self.platform, &frame.header) == Some(text)
                        || text.strip_prefix("exit-").is_some_and(|name| begins(&frame.header, name))
                });
                self.frames.truncate(closed.unwrap_or(depth.saturating_sub(1)).max(1));
            }
            _ => return false,
        }
        true
    }

    /// Which open section takes the line, and what it means there.
    fn meant(&self, body: &[&str], negation: Negation, line: Physical<'_>) -> Result<Meant, Why> {
        let innermost = self.frames.len().saturating_sub(1);
        let exact = |frame: &Frame| frame.mode.filter(|mode| !mode.raw).and_then(|mode| find(mode, body, negation));
        let short =
            |frame: &Frame| frame.mode.filter(|mode| !mode.raw).and_then(|mode| find_abbreviated(mode, body, negation));
        let search = |how: &dyn Fn(&Frame) -> Option<Hit<'static>>| {
            (0..=innermost).rev().find_map(|at| Some((at, how(self.frames.get(at)?)?)))
        };
        let known = search(&exact).or_else(|| search(&short));
        let by_column = self.by_column(line.indent);
        match (known, by_column) {
            (Some((frame, hit)), None) => Ok(Meant { frame, hit: Some(hit), doubt: None }),
            (Some((frame, hit)), Some(wanted)) if frame == wanted => Ok(Meant { frame, hit: Some(hit), doubt: None }),
            (Some(_), Some(wanted)) => {
                // The device would put it elsewhere than its column says, or the section has a line that is not known here.
                let frame = self.frames.get(wanted).ok_or(Why::Section)?;
                let hit = exact(frame).or_else(|| short(frame));
                Ok(Meant { frame: wanted, hit, doubt: Some(Why::Section) })
            }
            (None, wanted) => {
                // Only what is known to be a section takes lines that do not say where they belong.
                let section = || self.frames.iter().rposition(|frame| frame.mode.is_some()).unwrap_or(innermost);
                let frame = wanted.unwrap_or_else(section);
                let raw = self.frames.get(frame).is_some_and(|frame| frame.mode.is_some_and(|mode| mode.raw));
                if !raw && negation == Negation::None && body.first().is_none_or(|word| word.len() < 2) {
                    return Err(Why::Abbreviated);
                }
                Ok(Meant { frame, hit: None, doubt: None })
            }
        }
    }

    /// The section that the column of a line says; nothing when the text has no indentation that says anything.
    fn by_column(&self, column: usize) -> Option<usize> {
        let innermost = self.frames.len().saturating_sub(1);
        let frame = self.frames.last()?;
        if innermost == 0 {
            return Some(0);
        }
        if column > frame.column {
            return Some(innermost);
        }
        let around = self.frames.iter().skip(1).position(|frame| column <= frame.column).unwrap_or(innermost);
        let says = frame.indented
            || column < frame.column
            || self.frames.iter().skip(1).any(|frame| frame.indented && frame.column >= column);
        says.then_some(around)
    }

    /// Whether a section cannot be removed because another line names it.
    fn is_held(&self, hit: &Hit<'_>) -> bool {
        let Some(name) = hit.full.get(hit.rule.pattern.len().saturating_sub(1)).filter(|_| hit.rule.held) else {
            return false;
        };
        let header = hit.full.get(..hit.rule.pattern.len()).unwrap_or_default().join(" ");
        any_line(self.after.nodes(), &|text| !begins(text, &header) && words(text).contains(&name.as_str()))
    }

    /// Whether a line takes a name away that other lines use.
    fn renames(&mut self, place: &[usize], frame: &Frame, hit: &Hit<'_>, negation: Negation) -> bool {
        if !hit.rule.names {
            return false;
        }
        let Some(nodes) = nodes_at(&mut self.after, place) else { return false };
        let mut own = nodes.iter().filter_map(|node| keyed(frame.mode, &node.text).hit);
        let Some(old) = own.find(|own| own.slot == hit.slot).map(|own| own.value()) else { return false };
        if negation == Negation::None && old == hit.value() {
            return false;
        }
        let around = |c: char| c == ' ' || c == ',' || c == '(' || c == ')';
        any_line(self.after.nodes(), &|text| {
            !begins(text, &hit.slot_words()) && text.split(around).any(|word| word == old)
        })
    }

    /// What else a removal changes.
    fn side_effects(&mut self, hit: &Hit<'_>) -> Option<Why> {
        let name = hit.full.get(hit.rule.pattern.len().saturating_sub(1))?.clone();
        for taken in &hit.rule.takes {
            sweep(self.after.nodes_mut(), taken);
        }
        let named = |text: &str| {
            hit.rule.drags.iter().any(|start| {
                text.strip_prefix(start.as_str())
                    .is_some_and(|rest| words(rest).first().is_some_and(|word| *word == name))
            })
        };
        any_line(self.after.nodes(), &named).then_some(Why::SideEffects)
    }
}

fn any_line(nodes: &[Node], named: &dyn Fn(&str) -> bool) -> bool {
    nodes.iter().any(|node| named(&node.text) || any_line(&node.children, named))
}

fn nodes_at<'c>(config: &'c mut Config, place: &[usize]) -> Option<&'c mut Vec<Node>> {
    let mut nodes = config.nodes_mut();
    for at in place {
        nodes = &mut nodes.get_mut(*at)?.children;
    }
    Some(nodes)
}
