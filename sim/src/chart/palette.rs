//! Colours by role, never by name: the first version that serves is blue, the next green, then ink and violet, be they in Upstreams
//! of their own or side by side in one. Each has a second cue, so that nothing hangs on colour: green is dashed and striped.

use crate::summary::{Summary, TargetRow};

/// How marks of one kind are drawn: the number is their key in plotters' colours, the text their classes in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) key: u8,
    pub(super) class: &'static str,
}

macro_rules! marks {
    ($($name:ident $key:literal $class:literal;)*) => {
        impl Mark {
            $(pub(super) const $name: Self = Self { key: $key, class: $class };)*
            /// Every mark there is.
            const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

marks! {
    BLUE 1 "l blue";
    BLUE2 2 "l blue2";
    GREEN 3 "l green dash";
    GREEN2 4 "l green2 dash";
    INK 5 "l ink";
    LAT 6 "l lat";
    BLUE_FILL 7 "fblue a1";
    BLUE2_FILL 8 "fblue a2";
    GREEN_FILL 9 "pg";
    GREEN2_FILL 10 "pg2";
    INK_FILL 11 "fink a2";
    LAT_FILL 12 "flat a2";
    BLUE_BAND 13 "fblue a6";
    BLUE_SOLID 14 "fblue";
    BLUE2_SOLID 15 "fblue2";
    GREEN_SOLID 16 "ps";
    GREEN2_SOLID 17 "ps2";
    INK_SOLID 18 "fink";
    LAT_SOLID 19 "flat";
    THIN_INK 20 "l thin ink";
    THIN_LAT 21 "l thin lat";
    FAINT_LAT 22 "l thin lat a6";
    THICK_LAT 23 "l thick lat";
    LAT_INNER 24 "flat a3";
    LAT_MIDDLE 25 "flat a4";
    LAT_OUTER 26 "flat a5";
    WARMUP 27 "fwarm";
    BAND 28 "fband";
    FAIL 29 "ffail";
    FAIL2 30 "ffail a6";
    FAIL3 31 "ffail a3";
    POINT_BLUE 32 "point blue";
    POINT_GREEN 33 "point green";
    POINT_INK 34 "point ink";
    POINT_FAIL 36 "point failc";
    THIN_FAIL 35 "l thin failc";
}

impl Mark {
    /// The mark with this key; an unknown key is a bug that a test would show.
    pub(super) fn with_key(key: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|mark| mark.key == key)
    }
}

/// How one target, or one version, is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) line: Mark,
    /// Beneath a line, with others on top of it.
    pub(super) area: Mark,
    /// In bars that stand alone.
    pub(super) solid: Mark,
    /// The range of values it took.
    pub(super) band: Mark,
    /// One point.
    pub(super) point: Mark,
    /// Text beside it.
    pub(super) text: &'static str,
    /// The custom property that holds its colour.
    pub(super) color: &'static str,
    /// Whether the second cue is a dash.
    pub(super) dashed: bool,
}

const LOOKS: [[Look; 2]; 4] = [
    [
        look(
            Mark::BLUE,
            Mark::BLUE_FILL,
            Mark::BLUE_SOLID,
            Mark::BLUE_BAND,
            Mark::POINT_BLUE,
            "fblue",
            "--c:var(--blue)",
            false,
        ),
        look(
            Mark::BLUE2,
            Mark::BLUE2_FILL,
            Mark::BLUE2_SOLID,
            Mark::BLUE_BAND,
            Mark::POINT_BLUE,
            "fblue",
            "--c:var(--blue2)",
            false,
        ),
    ],
    [
        look(
            Mark::GREEN,
            Mark::GREEN_FILL,
            Mark::GREEN_SOLID,
            Mark::GREEN_FILL,
            Mark::POINT_GREEN,
            "fgreen",
            "--c:var(--green)",
            true,
        ),
        look(
            Mark::GREEN2,
            Mark::GREEN2_FILL,
            Mark::GREEN2_SOLID,
            Mark::GREEN_FILL,
            Mark::POINT_GREEN,
            "fgreen",
            "--c:var(--green2)",
            true,
        ),
    ],
    [INK, INK],
    [LAT, LAT],
];
const INK: Look = look(
    Mark::INK,
    Mark::INK_FILL,
    Mark::INK_SOLID,
    Mark::INK_FILL,
    Mark::POINT_INK,
    "fink",
    "--c:var(--ink)",
    false,
);
const LAT: Look = look(
    Mark::LAT,
    Mark::LAT_FILL,
    Mark::LAT_SOLID,
    Mark::LAT_FILL,
    Mark::POINT_INK,
    "flat",
    "--c:var(--lat)",
    false,
);

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn look(
    line: Mark,
    area: Mark,
    solid: Mark,
    band: Mark,
    point: Mark,
    text: &'static str,
    color: &'static str,
    dashed: bool,
) -> Look {
    Look { line, area, solid, band, point, text, color, dashed }
}

/// Which version has which colour.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// Upstream and version: those of Upstreams in the order they serve, then those that never do.
    versions: Vec<(String, String)>,
}

impl Palette {
    /// The colours of a run; of a rollout's versions, the new one is the second.
    pub(super) fn new(summary: &Summary) -> Self {
        let serving = summary.phases.iter().filter_map(|phase| phase.upstream.as_ref());
        let serving = serving.flat_map(|name| summary.targets.iter().filter(move |t| t.upstream == *name));
        let new =
            summary.rollout.iter().flat_map(|rollout| &rollout.versions).find(|row| row.role == "canary");
        let is_new = |target: &&TargetRow| new.is_some_and(|row| row.version == target.version);
        let first = summary.switches.is_empty().then(|| {
            let old = serving.clone().filter(move |target| !is_new(target));
            old.chain(summary.targets.iter().filter(is_new))
        });
        let in_order = first.into_iter().flatten().chain(serving);
        let mut versions = Vec::new();
        for target in in_order.chain(&summary.targets) {
            let version = (target.upstream.clone(), target.version.clone());
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        Self { versions }
    }

    /// The look of what several versions have a part in.
    pub(super) fn all_versions() -> Look {
        INK
    }

    /// The look of an Upstream as a whole, the `place`-th time that it is drawn, from 0.
    pub(super) fn look(&self, upstream: &str, place: usize) -> Look {
        Self::at(self.versions.iter().position(|(name, _)| name == upstream), place)
    }

    /// The look of a version, the `place`-th time that it or a target of it is drawn, from 0.
    pub(super) fn look_of(&self, (upstream, version): (&str, &str), place: usize) -> Look {
        Self::at(self.versions.iter().position(|(of, name)| of == upstream && name == version), place)
    }

    fn at(version: Option<usize>, place: usize) -> Look {
        LOOKS[version.unwrap_or(LOOKS.len()).min(LOOKS.len() - 1)][place.min(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::{how_to, measure, play};
    use crate::summary::{Facts, summarise};

    #[test]
    fn every_mark_has_a_key_of_its_own() {
        for mark in Mark::ALL {
            assert_eq!(Mark::with_key(mark.key), Some(*mark));
        }
        assert_eq!(Mark::with_key(255), None);
    }

    #[test]
    fn versions_side_by_side_in_one_upstream_have_colours_of_their_own() {
        let plan = how_to(10.0, 2, &[]);
        let mut summary = summarise(&plan, &measure(&plan, &play(&plan)), Facts::default());
        for target in &mut summary.targets {
            target.version = std::mem::replace(&mut target.upstream, "shop".to_owned());
        }
        let palette = Palette::new(&summary);
        let looks: Vec<_> = summary
            .targets
            .iter()
            .map(|target| palette.look_of((&target.upstream, &target.version), 0).line)
            .collect();
        assert_eq!(looks, [Mark::BLUE, Mark::BLUE, Mark::GREEN, Mark::GREEN]);
        assert_eq!(palette.look("shop", 0).line, Mark::BLUE, "as who serves first");
        assert_eq!(palette.look("nobody", 0).line, Mark::LAT);
    }
}
