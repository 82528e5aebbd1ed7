//! Sending outgoing calls again: what would be sent is shown first; a body may be changed, the number of requests is typed, and what
//! became of each stands beside the original.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, SendPlan, Sendable, Sent, Ticket};
use crate::tui::{Canvas, Context, TextField};

const EDIT: Action = Action::new("edit_body", "change the body of the request");
const LEAVE_OUT: Action = Action::new("leave_out", "leave the request out");
const FASTER: Action = Action::new("faster", "more requests a second");
const SLOWER: Action = Action::new("slower", "fewer requests a second");
const STOP: Action = Action::new("stop_on_failure", "stop at the first failure, or go on");
const ANYWAY: Action = Action::new("anyway", "send also what has succeeded, is still being tried, or was sent before");

pub(super) const ENTRY: Entry = Entry {
    action: Some(Action::RESEND),
    own: &[EDIT, LEAVE_OUT, FASTER, SLOWER, STOP, ANYWAY],
    keys: "[resend]\nedit_body = ['e']\nleave_out = ['x']\nfaster = ['>']\nslower = ['<']\nstop_on_failure = ['s']\n\
           anyway = ['a']",
    new: || Box::new(ResendScreen::default()),
};

/// The rates that are offered, in requests a second.
const RATES: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// The one that is offered first.
const FIRST: usize = 3;

/// Where it is.
#[derive(Default)]
enum Step {
    /// The requests are shown.
    #[default]
    Review,
    /// The body of the selected one is changed.
    Edit(TextField),
    /// The number is typed.
    Confirm(TextField),
    /// They are sent; how it ended, if it has.
    Sending(Option<Result<(), String>>),
}

/// The requests.
#[derive(Default)]
pub(super) struct ResendScreen {
    /// `None` until their payloads are loaded.
    all: Option<Vec<Sendable>>,
    /// Number of activities that were chosen, less those that are shown: attempts of one operation are sent once.
    earlier: usize,
    /// Whether what is held is sent, too.
    insists: bool,
    line: Lines,
    step: Step,
    rate: usize,
    stops: bool,
    /// What became of each request that was sent, in their order.
    sent: Vec<Sent>,
    ticket: Ticket,
}

impl ResendScreen {
    /// The requests that can be sent.
    fn requests(&self) -> usize {
        self.all().iter().filter(|one| one.goes(self.insists).is_some()).count()
    }

    /// Those that could be sent, and are left out because that would do them twice.
    fn held(&self) -> usize {
        self.all().iter().filter(|one| one.held.is_some() && one.request.is_ok()).count()
    }

    fn all(&self) -> &[Sendable] {
        self.all.as_deref().unwrap_or_default()
    }

    /// What became of the request of a line.
    fn outcome(&self, index: usize) -> Option<&Sent> {
        let id = self.all().get(index)?.last.activity.id.to_string();
        self.sent.iter().find(|sent| sent.of == id)
    }

    /// Keeps a changed body.
    fn keep_body(&mut self) {
        if let Step::Edit(field) = std::mem::take(&mut self.step)
            && let Some(Sendable { request: Ok(request), .. }) =
                self.all.as_mut().and_then(|all| all.get_mut(self.line.0))
        {
            let body = field.whole();
            request.is_edited |= request.body.as_deref() != Some(&body);
            request.body = Some(body);
        }
    }

    /// Sends, if the number that was typed is that of the requests.
    fn confirm(&mut self, typed: &str, shared: &mut Shared) -> Vec<Effect> {
        let count = self.requests();
        if typed.trim() != count.to_string() {
            // Whoever has typed a wrong number is asked again; leaving is Esc.
            shared.notify(format!("that is not {count}; nothing was sent yet"));
            self.step = Step::Confirm(TextField::default());
            return Vec::new();
        }
        self.step = Step::Sending(None);
        self.sent.clear();
        self.ticket = shared.ticket();
        let requests = self.all().iter().filter_map(|one| one.goes(self.insists).cloned()).collect();
        let who = shared.settings.who.clone();
        let plan = SendPlan { requests, rate: RATES[self.rate], stops: self.stops, who };
        vec![Effect::Send(self.ticket, Box::new(plan))]
    }

    fn review(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN if self.all.is_none() => shared.notify("the payloads are being loaded"),
            Action::OPEN if self.requests() == 0 && self.held() > 0 => {
                shared.notify("all are left out: to send them may do them twice; a sends them anyway");
            }
            Action::OPEN if self.requests() == 0 => shared.notify("none of them can be sent"),
            Action::OPEN => self.step = Step::Confirm(TextField::default()),
            EDIT => match self.all().get(self.line.0) {
                Some(Sendable { request: Ok(request), .. }) => {
                    let body = request.body.clone().unwrap_or_default();
                    self.step = Step::Edit(TextField::of_lines(&body));
                }
                Some(Sendable { request: Err(why), .. }) => {
                    let why = why.clone();
                    shared.notify(why);
                }
                None => {}
            },
            LEAVE_OUT => {
                let all = self.all.as_mut().filter(|all| self.line.0 < all.len())?;
                drop(all.remove(self.line.0));
                self.line = Lines(self.line.0.min(all.len().saturating_sub(1)));
            }
            FASTER => self.rate = (self.rate + 1).min(RATES.len() - 1),
            SLOWER => self.rate = self.rate.saturating_sub(1),
            STOP => self.stops = !self.stops,
            ANYWAY => self.insists = !self.insists,
            _ => return None,
        }
        Some(Vec::new())
    }
}

impl Screen for ResendScreen {
    fn name(&self) -> &'static str {
        "resend"
    }

    fn actions(&self) -> Vec<Action> {
        let own = [Action::OPEN, Action::BACK, EDIT, LEAVE_OUT, FASTER, SLOWER, STOP, ANYWAY];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("resend"))
    }

    fn hints(&self) -> &'static [Hint] {
        match &self.step {
            Step::Review => &[
                Hint(Action::BACK, "send nothing"),
                Hint(Action::OPEN, "send them"),
                Hint(EDIT, "change the body"),
                Hint(LEAVE_OUT, "leave out"),
                Hint(ANYWAY, "left out, too"),
                Hint(SLOWER, "rate"),
                Hint(FASTER, "rate"),
                Hint(STOP, "stop at a failure"),
            ],
            Step::Edit(_) => &[Hint(Action::BACK, "keep the body"), Hint(Action::OPEN, "new line")],
            Step::Confirm(_) => &[Hint(Action::BACK, "send nothing"), Hint(Action::OPEN, "send")],
            Step::Sending(None) => &[Hint(Action::BACK, "stop")],
            Step::Sending(Some(_)) => &[Hint(Action::BACK, "close"), Hint(Action::OPEN, "find the new activity")],
        }
    }

    fn is_typing(&self) -> bool {
        matches!(self.step, Step::Edit(_) | Step::Confirm(_))
    }

    fn field(&mut self) -> Option<&mut TextField> {
        match &mut self.step {
            Step::Edit(field) | Step::Confirm(field) => Some(field),
            Step::Review | Step::Sending(_) => None,
        }
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let count = self.all().len();
        match &mut self.step {
            Step::Edit(field) => match action {
                Action::BACK => self.keep_body(),
                Action::OPEN => field.new_line(),
                Action::UP => field.go(false),
                Action::DOWN => field.go(true),
                _ => return None,
            },
            Step::Confirm(field) => match action {
                Action::OPEN => {
                    let typed = field.text().to_owned();
                    return Some(self.confirm(&typed, shared));
                }
                Action::BACK => self.step = Step::Review,
                _ => return None,
            },
            _ if self.line.moved(action, count) => {}
            Step::Review => return self.review(action, shared),
            Step::Sending(end) => match action {
                Action::BACK if end.is_none() => {
                    self.step = Step::Sending(Some(Err("stopped; what was under way may have arrived".to_owned())));
                    return Some(vec![Effect::StopSending]);
                }
                Action::BACK => shared.ask(Request::Close),
                Action::OPEN => {
                    let id = self.outcome(self.line.0)?.request_id.clone();
                    shared.ask(Request::Find(id, None));
                }
                _ => return None,
            },
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if matches!(self.step, Step::Sending(None)) {
            return Vec::new();
        }
        let chosen = std::mem::take(&mut shared.to_send);
        if !shared.settings.may_send {
            shared.notify("nothing is sent unless crosstail was started with --allow-sends");
            shared.ask(Request::Close);
            return Vec::new();
        }
        if chosen.is_empty() {
            shared.notify("nothing is chosen to be sent: open, select or mark calls in the list");
            shared.ask(Request::Close);
            return Vec::new();
        }
        *self = Self { rate: FIRST, stops: true, ticket: shared.ticket(), earlier: chosen.len(), ..Self::default() };
        vec![Effect::PrepareSend(self.ticket, chosen)]
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        if ticket != self.ticket {
            return Err(reply);
        }
        match reply {
            Reply::Sendable(all) => {
                self.earlier = self.earlier.saturating_sub(all.len());
                self.all = Some(all);
            }
            Reply::Sent(sent) => self.sent.push(sent),
            Reply::SendingEnded(end) => {
                if let Err(problem) = &end {
                    shared.notify(problem.clone());
                }
                self.step = Step::Sending(Some(end));
            }
            other => return Err(other),
        }
        Ok(Vec::new())
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
