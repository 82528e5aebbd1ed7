//! Actions: what a key, a command of the palette or a test can request.

macro_rules! actions {
    ($($action:ident = $name:literal, $help:literal;)+) => {
        /// Something a user can do. The keymap binds keys to these names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $(#[doc = $help] $action),+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$action),+];

            /// Name in the keymap.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name),+ }
            }

            /// One line for the help and the palette.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$action => $help),+ }
            }
        }
    };
}

actions! {
    Up = "up", "previous line";
    Down = "down", "next line";
    PageUp = "page_up", "a page up";
    PageDown = "page_down", "a page down";
    Top = "top", "oldest, or first line";
    Bottom = "bottom", "newest, or last line";
    Left = "left", "column, fold or bar to the left";
    Right = "right", "column, fold or bar to the right";
    Open = "open", "open, narrow or choose";
    Back = "back", "one level back";
    Filter = "filter", "edit the filter (in a detail: search)";
    ClearFilter = "clear_filter", "show everything";
    NextMatch = "next_match", "next match of the search";
    PreviousMatch = "previous_match", "previous match of the search";
    NextFailure = "next_failure", "next failure";
    PreviousFailure = "previous_failure", "previous failure";
    Follow = "follow", "follow the newest";
    Pause = "pause", "pause, or resume";
    Keep = "keep", "keep only the value under the cursor";
    Exclude = "exclude", "exclude the value under the cursor";
    Trace = "trace", "trace of the activity";
    Retries = "retries", "retry chain of the activity";
    Compare = "compare", "with the last success; in the list: failures with the rest";
    Find = "find", "find what an id, address, number or line identifies";
    Jq = "jq", "a jq expression over the body";
    NextTab = "next_tab", "next tab of the detail";
    PreviousTab = "previous_tab", "previous tab of the detail";
    Reveal = "reveal", "reveal or hide the secret under the cursor";
    CopyRecord = "copy_record", "copy the record as JSON";
    CopyWhole = "copy_whole", "copy everything about it as JSON: payload, retries, trace";
    CopyMarkdown = "copy_markdown", "copy as Markdown, for a ticket";
    CopyId = "copy_id", "copy the id";
    CopyBody = "copy_body", "copy the body, or the value under the cursor";
    CopyCurl = "copy_curl", "copy as curl, with variables for secrets";
    CopyView = "copy_view", "copy a command that opens this view again";
    CopyPath = "copy_path", "copy the path of the value under the cursor";
    Editor = "editor", "open the value, or the activity, in $EDITOR";
    Pager = "pager", "open the value, or the activity, in $PAGER";
    Pipe = "pipe", "pipe the value, or the activity, to a command";
    Mark = "mark", "mark or unmark";
    NextMark = "next_mark", "next mark";
    Note = "note", "mark with a note";
    Bundle = "bundle", "write the marked activities as an incident: Markdown and .sqlite";
    ViewBack = "view_back", "view before this one";
    ViewForward = "view_forward", "view after this one";
    Health = "health", "health of the systems";
    Alerts = "alerts", "alerts of rules and of stores";
    Acknowledge = "acknowledge", "acknowledge the alert";
    Resolve = "resolve", "resolve the alert in its store";
    Silence = "silence", "silence the alert's rule for an hour, or lift the silence";
    Report = "report", "write this screen as a report: .html, .csv or .json";
    Sources = "sources", "sources, their state and lag";
    Tables = "tables", "tables of the databases, and how well they fit";
    WriteDraft = "write_draft", "write a schema for the table into your folder";
    Jobs = "jobs", "what the sources do now";
    EndJob = "end_job", "end the job under the cursor";
    FocusNext = "focus_next", "next panel";
    FocusPrevious = "focus_previous", "previous panel";
    ToggleFacets = "toggle_facets", "facets on or off";
    ToggleHistogram = "toggle_histogram", "histogram on or off";
    ToggleTime = "toggle_time", "absolute or relative times";
    Range = "range", "range of time";
    ZoomIn = "zoom_in", "a shorter range of time";
    ZoomOut = "zoom_out", "a longer range of time";
    NextTheme = "next_theme", "next theme";
    Reload = "reload", "read keymap and theme files again";
    ToggleMouse = "toggle_mouse", "mouse on or off";
    ToggleRate = "toggle_rate", "show what the screen costs";
    Palette = "palette", "every command, by name";
    Help = "help", "this help";
    WriteConfig = "write_config", "write a commented configuration file";
    View1 = "view_1", "saved view 1";
    View2 = "view_2", "saved view 2";
    View3 = "view_3", "saved view 3";
    View4 = "view_4", "saved view 4";
    View5 = "view_5", "saved view 5";
    View6 = "view_6", "saved view 6";
    View7 = "view_7", "saved view 7";
    View8 = "view_8", "saved view 8";
    View9 = "view_9", "saved view 9";
    Redraw = "redraw", "redraw the screen";
    Suspend = "suspend", "suspend; fg resumes";
    Quit = "quit", "quit";
}

impl Action {
    /// The action with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// The number of a saved view or tab, from 0.
    pub fn number(self) -> Option<usize> {
        let index = (self as usize).checked_sub(Self::View1 as usize)?;
        (index < 9).then_some(index)
    }
}
