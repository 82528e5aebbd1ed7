//! How the stack is drawn: the lines around every screen, the screen, and the overlays.

use super::{Explorer, Hint, explore, stack, tour};
use crate::action::Action;
use crate::tui::text::{put, width};
use crate::tui::{Appearance, Canvas, Context, Spot, Spots, Stroke};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A picture of what is shown.
#[derive(Debug)]
pub struct Picture {
    pub buffer: Buffer,
    /// The position of the cursor, if it is shown.
    pub cursor: Option<(u16, u16)>,
    /// What its places stand for.
    pub spots: Spots,
}

/// Draws what is shown.
pub fn draw(explorer: &Explorer, look: &Appearance) -> Picture {
    let Explorer { shared, stack, .. } = explorer;
    let area = Rect::new(0, 0, shared.size.0, shared.size.1);
    let mut picture = Picture { buffer: Buffer::empty(area), cursor: None, spots: Spots::default() };
    if area.width == 0 || area.height == 0 {
        return picture;
    }
    let frame = shared.frame();
    let Picture { buffer, cursor, spots } = &mut picture;
    let mut canvas = Canvas { area, buf: buffer, look, cursor, spots };
    canvas.spots.begin(stack::LIST);
    let over = (stack.covering().is_some(), stack.title());
    explore::frame(&stack.explore, shared, &frame, over, &mut canvas);
    canvas.spots.begin(stack.layer_of_body());
    canvas.spots.add(frame.body, Spot::Nothing);
    stack.body().view(shared, &mut canvas.at(frame.body));
    let context = if stack.is_typing() { Context::TEXT } else { stack.context() };
    match explorer.pressed.as_slice() {
        [] => key_bar(&stack.hints(shared), context, &mut canvas.at(frame.keys)),
        pressed => what_may_follow(context, pressed, &mut canvas.at(frame.keys)),
    }
    canvas.spots.begin(stack::LIST);
    if let Some(tour) = stack.tour() {
        tour::render(tour, stack.is_at_the_bottom(), shared, &mut canvas.at(frame.strip));
    }
    explore::completions(&stack.explore, &frame, &mut canvas);
    for (index, overlay) in stack.overlays.iter().enumerate() {
        canvas.spots.begin(stack::FIRST_OVERLAY + index);
        overlay.view(shared, &mut canvas);
    }
    picture
}

/// The area in which lines may have moved up, if the list is shown.
pub(super) fn scrolling(explorer: &Explorer) -> Option<Rect> {
    let Explorer { shared, stack, .. } = explorer;
    if stack.covering().is_some() || !stack.overlays.is_empty() {
        return None;
    }
    explore::scrolling(&stack.explore, shared)
}

/// Draws what the next key of a sequence may be.
fn what_may_follow(context: Context, pressed: &[Stroke], canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    if area.height == 0 {
        return;
    }
    let mut x = area.x + 1;
    for (key, action) in look.keymap.following(context, pressed) {
        // `copy_record` with others that copy.
        let does = action.name().split_once('_').map_or(action.name(), |(_, of)| of).replace('_', " ");
        if x + width(&key) + width(&does) + 1 > area.right() {
            break;
        }
        let from = x;
        x = put(canvas.buf, x, area.y, &key, 12, look.theme.key) + 1;
        x = put(canvas.buf, x, area.y, &does, 20, look.theme.dim);
        canvas.spots.add_text(from, area.y, x - from, Spot::Action(action));
        x += 2;
    }
}

/// Draws the hints that fit, with the keys of their actions; whatever does not, the way to all commands does.
fn key_bar(hints: &[Hint], context: Context, canvas: &mut Canvas<'_>) {
    let (area, look) = (canvas.area, canvas.look);
    if area.height == 0 {
        return;
    }
    let groups: Vec<(Vec<(Action, String)>, &str)> = hints
        .chunk_by(|a, b| a.1 == b.1)
        .map(|alike| {
            let key = |Hint(action, _): &Hint| (*action, look.keymap.first_key(context, *action));
            (alike.iter().map(key).collect(), alike[0].1)
        })
        .collect();
    let needed = |(keys, text): &(Vec<(Action, String)>, &str)| {
        keys.iter().map(|(_, key)| width(key) + 1).sum::<u16>() + width(text) + 2
    };
    let is_kept = |(keys, _): &(Vec<(Action, String)>, &str)| keys.iter().any(|(action, _)| *action == Action::PALETTE);
    let mut reserved: u16 = groups.iter().filter(|group| is_kept(group)).map(needed).sum();
    let (mut x, mut is_full) = (area.x + 1, false);
    for group in &groups {
        if is_kept(group) {
            reserved = 0;
        } else {
            is_full = is_full || x + needed(group) + reserved > area.right();
        }
        if (is_full && !is_kept(group)) || x + needed(group) > area.right() {
            continue;
        }
        let (keys, text) = group;
        let last = keys.len() - 1;
        for (index, (action, key)) in keys.iter().enumerate() {
            let from = x;
            x = put(canvas.buf, x, area.y, key, width(key), look.theme.key) + 1;
            if index == last {
                x = put(canvas.buf, x, area.y, text, width(text), look.theme.dim) + 1;
            }
            canvas.spots.add_text(from, area.y, x - from - 1, Spot::Action(*action));
        }
        x += 1;
    }
}
