//! Directives in a rendered CLI template of a controller: which of its lines are configuration, and which are commands of
//! the prompt.
//!
//! Catalyst Center sends a template line by line in configuration mode. Between `#MODE_ENABLE` and `#MODE_END_ENABLE` it
//! sends them at the prompt; between `#INTERACTIVE` and `#ENDS_INTERACTIVE` a line is `command<IQ>question<R>answer`, and the
//! answer is typed when the question appears; `<MLTCMD>…</MLTCMD>` is sent as one command. A directive that is not known, not
//! written exactly so, not closed or out of place is refused: what it would do is not known.

use std::fmt;

use crate::Platform;
use crate::banner;
use crate::classify::{Class, Mode, classify};

/// A rendered template, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLines {
    /// The configuration lines in their order, banners and their text included.
    pub config: Vec<TemplateLine>,
    /// The commands of the prompt in their order: those inside directives, behind `do`, and after an `end`.
    pub exec: Vec<TemplateLine>,
    /// The class of the whole. A command that is not a read makes it [`Class::Disruptive`].
    pub class: Class,
}

/// A line of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLine {
    /// Its number in the rendered text, from 1.
    pub number: usize,
    /// The line without directives; of an interactive one, with its question and answer.
    pub line: String,
    /// What it does.
    pub class: Class,
    /// Why.
    pub reason: String,
}

impl TemplateLines {
    /// The configuration lines as one text.
    pub fn config_text(&self) -> String {
        self.config.iter().map(|line| format!("{}\n", line.line)).collect()
    }

    /// The first command that is not a read, if there is one. What it does is outside the configuration, so no generated
    /// text undoes it: the undo is `none`, and this is the reason.
    pub fn beyond_undo(&self) -> Option<&TemplateLine> {
        self.exec.iter().find(|line| line.class > Class::Read)
    }
}

/// A directive that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectiveFault {
    /// The number of the line, from 1.
    pub number: usize,
    /// The directive, shortened and escaped.
    pub directive: String,
    /// What is wrong.
    pub kind: DirectiveFaultKind,
}

/// What is wrong with a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectiveFaultKind {
    /// The controller knows none of this name; case and spelling count.
    Unknown,
    /// It closes what is not open, opens what is open already, or stands outside its block.
    Misplaced,
    /// It is never closed.
    Unclosed,
}

impl fmt::Display for DirectiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, directive, kind } = self;
        match kind {
            DirectiveFaultKind::Unknown => write!(f, "line {number}: `{directive}` is no known template directive"),
            DirectiveFaultKind::Misplaced => write!(f, "line {number}: `{directive}` is out of place"),
            DirectiveFaultKind::Unclosed => write!(f, "line {number}: `{directive}` is never closed"),
        }
    }
}

impl std::error::Error for DirectiveFault {}

/// Parts a rendered template into configuration lines and commands, and classifies both.
///
/// # Errors
///
/// A directive that is unknown, out of place or never closed.
pub fn template_lines(platform: Platform, text: &str) -> Result<TemplateLines, DirectiveFault> {
    let mut reader = Reader::default();
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        let banner = banner::body(platform, lines.get(at..).unwrap_or_default()).filter(|body| body.closed);
        if let Some(body) = banner.filter(|_| reader.in_configuration()) {
            for (offset, line) in lines.iter().skip(at).take(body.lines + 1).enumerate() {
                reader.text_of_banner(number + offset, line)?;
            }
            at += body.lines;
        } else {
            reader.line(number, line)?;
        }
        at += 1;
    }
    reader.finish(platform)
}

const MODE_ENABLE: &str = "#MODE_ENABLE";
const MODE_END_ENABLE: &str = "#MODE_END_ENABLE";
const INTERACTIVE: &str = "#INTERACTIVE";
const ENDS_INTERACTIVE: &str = "#ENDS_INTERACTIVE";
const OPEN_COMMAND: &str = "<MLTCMD>";
const CLOSE_COMMAND: &str = "</MLTCMD>";
const QUESTION: &str = "<IQ>";
const ANSWER: &str = "<R>";

/// Longer names before those that they begin with.
const DIRECTIVES: [&str; 6] =
    [MODE_END_ENABLE, MODE_ENABLE, ENDS_INTERACTIVE, INTERACTIVE, OPEN_COMMAND, CLOSE_COMMAND];

/// The blocks that are open, each with the line that opened it.
#[derive(Default)]
struct Reader {
    enable: Option<usize>,
    interactive: Option<usize>,
    command: Option<(usize, Vec<(usize, String)>)>,
    config: Vec<(usize, String)>,
    exec: Vec<(usize, String)>,
}

impl Reader {
    fn in_configuration(&self) -> bool {
        self.enable.is_none() && self.interactive.is_none() && self.command.is_none()
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), DirectiveFault> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let mut rest = line;
        while let Some((at, directive)) = next_directive(number, rest)? {
            self.content(number, rest.get(..at).unwrap_or_default())?;
            self.directive(number, directive)?;
            rest = rest.get(at + directive.len()..).unwrap_or_default();
        }
        self.content(number, rest)
    }

    /// Text between directives.
    fn content(&mut self, number: usize, text: &str) -> Result<(), DirectiveFault> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(());
        }
        if trimmed.starts_with('#') {
            return Err(fault(number, trimmed, DirectiveFaultKind::Unknown));
        }
        let tag = [QUESTION, ANSWER].into_iter().find(|tag| text.contains(tag));
        if let Some(tag) = tag.filter(|_| self.interactive.is_none()) {
            return Err(fault(number, tag, DirectiveFaultKind::Misplaced));
        }
        let line = (number, text.trim_end().to_owned());
        let at_the_prompt = self.enable.or(self.interactive).is_some();
        match &mut self.command {
            Some((_, lines)) => lines.push(line),
            None if at_the_prompt => self.exec.push(line),
            None => self.config.push(line),
        }
        Ok(())
    }

    fn directive(&mut self, number: usize, directive: &str) -> Result<(), DirectiveFault> {
        let open = |block: &mut Option<usize>| block.replace(number).is_none();
        let fits = match directive {
            // A mode does not change inside what is sent as one.
            _ if self.command.is_some() && directive != CLOSE_COMMAND => false,
            MODE_ENABLE => self.interactive.is_none() && open(&mut self.enable),
            MODE_END_ENABLE => self.interactive.is_none() && self.enable.take().is_some(),
            INTERACTIVE => open(&mut self.interactive),
            ENDS_INTERACTIVE => self.interactive.take().is_some(),
            OPEN_COMMAND => {
                self.command = Some((number, Vec::new()));
                true
            }
            _ => self.command.take().is_some_and(|(_, lines)| {
                self.one_command(lines);
                true
            }),
        };
        if fits { Ok(()) } else { Err(fault(number, directive, DirectiveFaultKind::Misplaced)) }
    }

    /// What was sent as one command: a banner is configuration; anything else is judged as commands, which it may be.
    fn one_command(&mut self, lines: Vec<(usize, String)>) {
        let text: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        let is_banner = Platform::ALL.into_iter().any(|platform| {
            banner::body(platform, &text).is_some_and(|body| body.closed && body.lines + 1 == text.len())
        });
        if is_banner && self.enable.is_none() && self.interactive.is_none() {
            self.config.extend(lines);
        } else {
            self.exec.extend(lines);
        }
    }

    /// A line of a banner is text, unless the controller would read it as a directive.
    fn text_of_banner(&mut self, number: usize, line: &str) -> Result<(), DirectiveFault> {
        match next_directive(number, line)? {
            Some((_, directive)) => Err(fault(number, directive, DirectiveFaultKind::Misplaced)),
            None => {
                self.config.push((number, line.to_owned()));
                Ok(())
            }
        }
    }

    fn finish(self, platform: Platform) -> Result<TemplateLines, DirectiveFault> {
        let open = [
            (self.enable, MODE_ENABLE),
            (self.interactive, INTERACTIVE),
            (self.command.map(|(number, _)| number), OPEN_COMMAND),
        ];
        for (number, directive) in open {
            if let Some(number) = number {
                return Err(fault(number, directive, DirectiveFaultKind::Unclosed));
            }
        }
        let mut read = TemplateLines { config: Vec::new(), exec: Vec::new(), class: Class::Read };
        let text: String = self.config.iter().map(|(_, line)| format!("{line}\n")).collect();
        for ((number, line), found) in self.config.into_iter().zip(classify(platform, Mode::Config, &text)) {
            let to = if found.mode == Mode::Config { &mut read.config } else { &mut read.exec };
            to.push(TemplateLine { number, line, class: found.class, reason: found.reason.into_owned() });
        }
        read.exec.extend(self.exec.into_iter().map(|(number, line)| judge(platform, number, line)));
        read.exec.sort_by_key(|line| line.number);
        let beyond = read.beyond_undo().map(|_| Class::Disruptive);
        let of_lines = read.config.iter().map(|line| line.class).max();
        read.class = beyond.max(of_lines).unwrap_or(Class::Read);
        Ok(read)
    }
}

/// A command of the prompt, with the answers that are typed behind it.
fn judge(platform: Platform, number: usize, line: String) -> TemplateLine {
    /// What answers a question, and is no command.
    const PLAIN: [&str; 5] = ["", "y", "yes", "n", "no"];
    let mut parts = line.split(QUESTION);
    let command = parts.next().unwrap_or_default();
    let answers = parts.filter_map(|part| part.split_once(ANSWER)).map(|(_, answer)| answer.trim());
    let typed = std::iter::once(command).chain(answers.filter(|answer| !PLAIN.contains(answer)));
    let worst = typed
        .flat_map(|text| classify(platform, Mode::Exec, text))
        .map(|found| (found.class, found.reason.into_owned()))
        .reduce(|worst, other| if other.0 > worst.0 { other } else { worst });
    let (class, reason) = worst.unwrap_or((Class::Disruptive, "an answer without a command".to_owned()));
    TemplateLine { number, line, class, reason }
}

/// The next directive of a line and where it stands. A name in another case is no directive, and no text either.
fn next_directive(number: usize, line: &str) -> Result<Option<(usize, &'static str)>, DirectiveFault> {
    let upper = line.to_ascii_uppercase();
    let found = DIRECTIVES
        .into_iter()
        .chain([QUESTION, ANSWER])
        .filter_map(|name| Some((upper.find(name)?, std::cmp::Reverse(name.len()), name)))
        .filter(|(at, _, name)| !([QUESTION, ANSWER].contains(name) && is_written(line, *at, name)))
        .min();
    let Some((at, _, name)) = found else { return Ok(None) };
    let after = line.get(at + name.len()..).unwrap_or_default();
    let longer = name.starts_with('#') && after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if !is_written(line, at, name) || longer {
        return Err(fault(number, line.get(at..).unwrap_or_default(), DirectiveFaultKind::Unknown));
    }
    Ok(Some((at, name)))
}

fn is_written(line: &str, at: usize, name: &str) -> bool {
    line.get(at..).is_some_and(|rest| rest.starts_with(name))
}

fn fault(number: usize, directive: &str, kind: DirectiveFaultKind) -> DirectiveFault {
    let word = directive.split_whitespace().next().unwrap_or_default();
    DirectiveFault { number, directive: word.chars().take(32).flat_map(char::escape_default).collect(), kind }
}
