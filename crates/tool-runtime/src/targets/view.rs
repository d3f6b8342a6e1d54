//! The index as those see it who may use the same sources: what they may know of each device, in the order of their search, and
//! a text of all host names. Composed once for each set of sources, and dropped with its index.
//!
//! Next: [`super::search`], which asks it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use memchr::memmem;

use super::index::{Device, Index, SearchText, SourceKind};
use super::join::{Merged, compose};

/// Most views of one index. Callers differ in what they may use by their groups, and there are few sets of groups; where there
/// are more, the one that was asked the longest ago is composed again.
const MOST_VIEWS: usize = 16;

/// Between two host names. One that holds it itself is found all the same: every hit is compared again.
const SEPARATOR: char = '\n';

/// The devices of an index that are known to at least one server of a set.
#[derive(Debug)]
pub(super) struct View {
    /// By host name, then serial number, as far as they are seen: an order by what is hidden would tell of it.
    lines: Vec<Line>,
    /// The line of each device of the index, where it has one.
    line_of: Vec<Option<u32>>,
    /// Host names in small letters, one after the other, and where each line's begins.
    hostnames: String,
    begins: Vec<u32>,
}

/// A device as it is seen.
#[derive(Debug)]
struct Line {
    device: u32,
    /// What the visible sources say; nothing where all of its sources are visible.
    part: Option<Box<Part>>,
}

#[derive(Debug)]
struct Part {
    merged: Merged,
    text: SearchText,
}

/// What may be known of a device.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) device: &'a Device,
    pub(super) merged: &'a Merged,
    pub(super) text: &'a SearchText,
}

impl View {
    fn build(index: &Index, visible: u64) -> Self {
        let servers = visible & index.mask(|source| source.kind == SourceKind::Server);
        let known = index.devices.iter().enumerate().filter(|(_, device)| device.sources & servers != 0);
        let mut lines: Vec<_> = known.map(|(place, device)| Line::of(index, place, device, visible)).collect();
        // Stable: where nothing differs that is seen, the order of the index stays.
        lines.sort_by(|a, b| {
            fn order<'a>(line: &'a Line, index: &'a Index) -> Option<(&'a str, Option<&'a String>)> {
                line.seen(index).map(|seen| (&*seen.text.hostname, seen.merged.serials.first()))
            }
            order(a, index).cmp(&order(b, index))
        });
        let mut view =
            Self { lines, line_of: vec![None; index.devices.len()], hostnames: String::new(), begins: vec![] };
        for (at, line) in view.lines.iter().enumerate() {
            view.begins.push(narrow(view.hostnames.len()));
            view.hostnames.push_str(line.seen(index).map_or("", |seen| &seen.text.hostname));
            view.hostnames.push(SEPARATOR);
            if let Some(place) = view.line_of.get_mut(line.device as usize) {
                *place = Some(narrow(at));
            }
        }
        view
    }

    /// How many devices are seen.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The device of a line.
    pub(super) fn seen<'a>(&'a self, index: &'a Index, line: usize) -> Option<Seen<'a>> {
        self.lines.get(line)?.seen(index)
    }

    /// The line of the device with a serial number, in its normal form. A device is in one line, and a serial number in one
    /// device; whether the caller sees this number of it is another question.
    pub(super) fn by_serial(&self, index: &Index, serial: &str) -> Option<usize> {
        let place = index.place_of_serial(serial)?;
        self.line_of.get(place)?.map(|line| line as usize)
    }

    /// The lines in whose host names a text in small letters stands, or seems to: it may lie over the border of two.
    pub(super) fn by_hostname<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        let finder = memmem::Finder::new(text);
        let mut from = 0;
        std::iter::from_fn(move || {
            let at = from + finder.find(self.hostnames.as_bytes().get(from..)?)?;
            let line = self.begins.partition_point(|begin| *begin as usize <= at).checked_sub(1)?;
            from = self.begins.get(line + 1).map_or(self.hostnames.len(), |begin| *begin as usize);
            (from > at).then_some(line)
        })
    }
}

impl Line {
    fn of(index: &Index, place: usize, device: &Device, visible: u64) -> Self {
        let part = (device.sources & !visible != 0).then(|| {
            let rows = device.rows.iter().filter(|at| visible >> at.source & 1 == 1);
            let merged = compose(&rows.map(|at| index.said(*at)).collect::<Vec<_>>());
            Box::new(Part { text: SearchText::from(&merged), merged })
        });
        Self { device: narrow(place), part }
    }

    fn seen<'a>(&'a self, index: &'a Index) -> Option<Seen<'a>> {
        let device = index.devices.get(self.device as usize)?;
        let (merged, text) = self.part.as_ref().map_or((&device.merged, &device.text), |p| (&p.merged, &p.text));
        Some(Seen { device, merged, text })
    }
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// A view that is composed by the first who needs it, while the others wait.
type Slot = Arc<OnceLock<Arc<View>>>;

/// The views of one index, by the sources that are visible in them; the last one that was asked stands first.
#[derive(Debug, Default)]
pub(super) struct Views(Mutex<VecDeque<(u64, Slot)>>);

impl Views {
    /// The view of those who may see the sources of `visible`, a bit for each.
    pub(super) fn of(&self, index: &Index, visible: u64) -> Arc<View> {
        Arc::clone(self.slot(visible).get_or_init(|| Arc::new(View::build(index, visible))))
    }

    fn slot(&self, visible: u64) -> Slot {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = views.iter().position(|(mask, _)| *mask == visible).and_then(|at| views.remove(at));
        let (_, slot) = known.unwrap_or_else(|| (visible, Slot::default()));
        views.push_front((visible, Arc::clone(&slot)));
        views.truncate(MOST_VIEWS);
        slot
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
