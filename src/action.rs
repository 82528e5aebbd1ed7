//! Actions: what a key, a command of the palette or a test can request.

/// Something a user can do. Keymaps bind keys to its name. What several parts of the program know is a constant here;
/// what belongs to one screen is a constant of that screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    name: &'static str,
    help: &'static str,
}

macro_rules! actions {
    ($($action:ident = $name:literal, $help:literal;)+) => {
        impl Action {
            $(#[doc = $help] pub const $action: Self = Self::new($name, $help);)+

            /// The actions that do not belong to one screen, in the order of the help.
            pub const COMMON: &'static [Self] = &[$(Self::$action),+];
        }
    };
}

actions! {
    UP = "up", "previous line";
    DOWN = "down", "next line";
    PAGE_UP = "page_up", "a page up";
    PAGE_DOWN = "page_down", "a page down";
    TOP = "top", "oldest, or first line";
    BOTTOM = "bottom", "newest, or last line";
    LEFT = "left", "column, fold or bar to the left";
    RIGHT = "right", "column, fold or bar to the right";
    OPEN = "open", "open, narrow or choose";
    BACK = "back", "one level back";
    FILTER = "filter", "edit the filter (in a detail: search)";
    CLEAR_FILTER = "clear_filter", "show everything";
    FILTER_HISTORY = "filter_history", "filters that were used, also in other sessions";
    NEXT_MATCH = "next_match", "next match of the search";
    PREVIOUS_MATCH = "previous_match", "previous match of the search";
    NEXT_FAILURE = "next_failure", "next failure";
    PREVIOUS_FAILURE = "previous_failure", "previous failure";
    FOLLOW = "follow", "follow the newest";
    PAUSE = "pause", "pause, or resume";
    KEEP = "keep", "keep only the value under the cursor";
    EXCLUDE = "exclude", "exclude the value under the cursor";
    TRACE = "trace", "trace of the activity";
    RETRIES = "retries", "retry chain of the activity";
    COMPARE = "compare", "with the last success; in the list: failures with the rest";
    COMPARE_WITH = "compare_with", "compare this view with another filter or time";
    FIND = "find", "find what an id, address, number or line identifies";
    JQ = "jq", "a jq expression over the body";
    NEXT_TAB = "next_tab", "next tab of the detail";
    PREVIOUS_TAB = "previous_tab", "previous tab of the detail";
    REVEAL = "reveal", "reveal or hide the secret under the cursor";
    COPY_RECORD = "copy_record", "copy the record as JSON";
    COPY_WHOLE = "copy_whole", "copy everything about it as JSON: payload, retries, trace";
    COPY_MARKDOWN = "copy_markdown", "copy as Markdown, for a ticket";
    COPY_ID = "copy_id", "copy the id";
    COPY_BODY = "copy_body", "copy the body, or the value under the cursor";
    COPY_CURL = "copy_curl", "copy as curl, with variables for secrets";
    COPY_AFFECTED = "copy_affected", "copy the affected operations, a line each";
    COPY_VIEW = "copy_view", "copy a command that opens this view again";
    COPY_PATH = "copy_path", "copy the path of the value under the cursor";
    RESEND = "resend", "send the marked or opened outgoing calls again (with --allow-sends)";
    TOOLS = "tools", "links and commands for the activity";
    EDITOR = "editor", "open the value, or the activity, in $EDITOR";
    PAGER = "pager", "open the value, or the activity, in $PAGER";
    PIPE = "pipe", "pipe the value, or the activity, to a command";
    MARK = "mark", "mark or unmark";
    NEXT_MARK = "next_mark", "next mark";
    NOTE = "note", "mark with a note";
    BUNDLE = "bundle", "write the marked activities as an incident: Markdown and .sqlite";
    VIEW_BACK = "view_back", "view before this one";
    VIEW_FORWARD = "view_forward", "view after this one";
    SAVE_VIEW = "save_view", "save filter, columns and facets as a view";
    HEALTH = "health", "health of the systems";
    FAILURES = "failures", "failures in groups: what is new, since when, whom it affects";
    CHANGES = "changes", "when rate, failures and latency changed, and what was marked";
    PATTERNS = "patterns", "what messages and errors have in common";
    AFFECTED = "affected", "operations that failed, and what became of each";
    ALERTS = "alerts", "alerts of rules and of stores";
    ACKNOWLEDGE = "acknowledge", "acknowledge the alert";
    RESOLVE = "resolve", "resolve the alert in its store";
    SILENCE = "silence", "silence the alert's rule for an hour, or lift the silence";
    REPORT = "report", "write this screen as a report: .html, .csv or .json";
    SOURCES = "sources", "sources, their state and lag";
    JOBS = "jobs", "what the sources do now, and everything that was said";
    FOCUS_NEXT = "focus_next", "next panel";
    FOCUS_PREVIOUS = "focus_previous", "previous panel";
    TOGGLE_FACETS = "toggle_facets", "facets on or off";
    TOGGLE_HISTOGRAM = "toggle_histogram", "histogram on or off";
    TALLER_HISTOGRAM = "taller_histogram", "a taller histogram";
    LOWER_HISTOGRAM = "lower_histogram", "a lower histogram";
    TOGGLE_TIME = "toggle_time", "absolute or relative times";
    AROUND = "around", "what happened around it: same source, system, host, tenant or order";
    RANGE = "range", "range of time";
    ZOOM_IN = "zoom_in", "a shorter range of time";
    ZOOM_OUT = "zoom_out", "a longer range of time";
    NEXT_THEME = "next_theme", "next theme";
    RELOAD = "reload", "read keymap and theme files again";
    TOGGLE_MOUSE = "toggle_mouse", "mouse on or off";
    TOGGLE_RATE = "toggle_rate", "show what the screen costs";
    PALETTE = "palette", "every command, by name";
    HELP = "help", "the most useful keys; again, all of them";
    TOUR = "tour", "a tour of the demonstration, in five steps";
    VIEW_1 = "view_1", "saved view 1";
    VIEW_2 = "view_2", "saved view 2";
    VIEW_3 = "view_3", "saved view 3";
    VIEW_4 = "view_4", "saved view 4";
    VIEW_5 = "view_5", "saved view 5";
    VIEW_6 = "view_6", "saved view 6";
    VIEW_7 = "view_7", "saved view 7";
    VIEW_8 = "view_8", "saved view 8";
    VIEW_9 = "view_9", "saved view 9";
    REDRAW = "redraw", "redraw the screen";
    SUSPEND = "suspend", "suspend; fg resumes";
    QUIT = "quit", "quit";
}

impl Action {
    /// An action with its name in the keymap, and one line for the help and the palette.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }

    /// Its name in the keymap.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// One line for the help and the palette.
    pub const fn help(self) -> &'static str {
        self.help
    }

    /// The number of a saved view or tab, from 0.
    pub fn number(self) -> Option<usize> {
        self.name.strip_prefix("view_")?.parse::<usize>().ok()?.checked_sub(1)
    }
}
