//! How the list's screen is left, and goes on where another session left it.

use super::Explore;
use crate::config::Layout;
use crate::effect::Effect;
use crate::screens::shared::Shared;
use crosstail_engine::window::Range;
use crosstail_memory::{LastView, Left};

/// What of another session is shown again. The rest is what the command line or the configuration says.
#[derive(Debug, Clone, Copy)]
pub struct GoesOn {
    pub range: bool,
    /// Columns and facets.
    pub layout: bool,
}

impl Explore {
    /// Notes which panels are shown, and how.
    pub(in crate::screens) fn note_panels(&self, shared: &mut Shared) {
        shared.keeping.edit(|view| {
            view.shows_facets = self.facets.is_on;
            view.shows_histogram = self.histogram.is_on;
            view.histogram_rows = self.histogram.height();
            view.relative_times = self.list.relative_time;
        });
    }

    /// Shows columns and facets that somebody has chosen.
    pub(in crate::screens) fn choose_layout(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let (columns, facets) = shared.layout.names();
        shared.keeping.edit(|view| (view.columns, view.facets) = (columns, facets));
        self.lay_out(shared)
    }

    /// Goes on where another session was left, and says what is not as usual because of that. Its last filter is not put in
    /// force: it is the first that is offered.
    pub(in crate::screens) fn go_on_from(&mut self, left: Left, goes_on: GoesOn, shared: &mut Shared) -> Vec<Effect> {
        let view = left.view.clone();
        let marked = left.marked.len();
        let mut effects = shared.go_on_from(left);
        let mut said: Vec<String> = Vec::new();
        let range = view.range.as_deref().filter(|_| goes_on.range);
        let range = range.and_then(|text| Range::parse(text, &shared.context()).ok());
        if let Some(range) = range.filter(|range| *range != shared.range) {
            shared.range = range;
            said.push("range".to_owned());
        }
        // A name that means nothing any more is no reason to say more than that things are as usual.
        if let Ok(layout) = Layout::parse(&view.columns, &view.facets)
            && goes_on.layout
            && !layout.is_usual()
        {
            said.extend((!layout.columns.is_empty()).then(|| "columns".to_owned()));
            said.extend((!layout.facets.is_empty()).then(|| "facets".to_owned()));
            shared.layout = layout;
            effects.extend(self.lay_out(shared));
        }
        let usual = LastView::default();
        let panels =
            |view: &LastView| (view.shows_facets, view.shows_histogram, view.histogram_rows, view.relative_times);
        if panels(&view) != panels(&usual) {
            self.facets.is_on = view.shows_facets;
            self.histogram.restore(view.shows_histogram, view.histogram_rows);
            self.list.relative_time = view.relative_times;
            said.push("panels".to_owned());
        }
        if marked > 0 {
            said.push(format!("{marked} {}", if marked == 1 { "mark" } else { "marks" }));
        }
        // What is wrong somewhere comes first.
        if let Some(last) = said.pop()
            && shared.notice.is_none()
        {
            let and = if said.is_empty() { "" } else { " and " };
            shared.notify(format!("{}{and}{last} as last time · --fresh ignores them", said.join(", ")));
        }
        effects
    }
}
