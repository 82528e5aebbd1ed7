use super::*;
use crate::tui::Gesture;

fn key(name: &str) -> Input {
    Input::Key(Stroke::named(name).unwrap_or_else(|| panic!("no key {name}")))
}

/// What is typed, a letter a key.
fn typed(text: &str) -> Vec<Input> {
    let mut decoder = Decoder::default();
    text.chars().for_each(|c| decoder.char(c, KeyModifiers::NONE));
    decoder.inputs
}

/// The inputs of bytes that come in parts, each at most so long; nothing follows.
fn read(bytes: &[u8], part: usize) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut inputs: Vec<Input> = bytes.chunks(part.max(1)).flat_map(|part| decoder.take(part)).collect();
    inputs.extend(decoder.give_up());
    inputs
}

/// As one part, and byte by byte.
#[track_caller]
fn assert_reads(text: &str, inputs: &[Input]) {
    for part in [text.len(), 3, 2, 1] {
        assert_eq!(read(text.as_bytes(), part), inputs, "{text:?} in parts of {part}");
    }
}

/// What terminals say and nobody presses: as their documentation has it.
const CHATTER: &[&str] = &[
    "\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c",
    "\x1b[?62;52;c",
    "\x1b[>41;390;0c",
    "\x1b[>83;40900;0c",
    "\x1b[=0;1;0c",
    "\x1b[?2026;2$y",
    "\x1b[?997;1n",
    "\x1b[0n",
    "\x1b[24;80R",
    "\x1b[?24;80;1R",
    "\x1b[?0u",
    "\x1b[8;24;80t",
    "\x1b[4;600;1000t",
    "\x1b[3;1;1;112;112;1;0x",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1bP>|mlterm(3.9.3)\x1b\\",
    "\x1bP>|XTerm(390)\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1bP1+r524742=38\x1b\\",
    "\x1bP!|00000000\x1b\\",
    "\x1b]4;1;rgb:cd/00/00\x07",
    "\x1b]52;c;aGVsbG8=\x1b\\",
    "\x1b[57441;2:3u",
    "\x1b[97;1:3u",
];

#[test]
fn what_a_terminal_says_is_no_key() {
    for said in CHATTER {
        assert_reads(said, &[]);
        assert_reads(&format!("j{said}\r"), &[key("j"), key("enter")]);
        // Its escape came so early that it was a key.
        let mut decoder = Decoder::default();
        assert_eq!(decoder.take(b"\x1b"), []);
        assert_eq!(decoder.give_up(), [key("esc")], "{said:?}");
        assert_eq!(decoder.take(&said.as_bytes()[1..]), [], "{said:?}");
        // Its end is lost: what is there is nothing, and the next key is one again.
        let mut decoder = Decoder::default();
        let mut inputs = decoder.take(&said.as_bytes()[..said.len().min(5)]);
        inputs.extend(decoder.give_up());
        inputs.extend(decoder.take(b"j"));
        assert_eq!(inputs, [key("j")], "{said:?}");
    }
}

#[test]
fn the_background_is_answered() {
    for (answer, background) in [
        ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", Background::Light),
        ("\x1b]11;rgb:FDFD/F6F6/E3E3\x07", Background::Light),
        ("\x1b]11;rgb:1e/1e/2e\x1b\\", Background::Dark),
        ("\x1b]11;rgb:0/0/0\x07", Background::Dark),
        ("\x1b]11;rgba:0000/2b2b/3636/ffff\x1b\\", Background::Dark),
    ] {
        assert_reads(&format!("j{answer}k"), &[key("j"), Input::Background(background), key("k")]);
    }
}

#[test]
fn a_terminal_that_understands_links_says_so_by_its_name() {
    assert_reads("j\x1bP>|kitty(0.36.0)\x1b\\k", &[key("j"), Input::HasLinks, key("k")]);
}

#[test]
fn keys_as_terminals_spell_them() {
    for (spelled, name) in [
        // xterm, Windows Terminal; screen and tmux in the mode of applications; kitty.
        (&["\x1b[A", "\x1bOA", "\x1b[1;1A"][..], "up"),
        (&["\x1b[B", "\x1bOB", "\x1b[1;1B", "\x1b[57420u"], "down"),
        (&["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x1b[1;1H"], "home"),
        (&["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x1b[1;1F"], "end"),
        (&["\x1b[5~", "\x1b[5;1~"], "pgup"),
        (&["\x1b[6~"], "pgdn"),
        (&["\x1b[3~"], "delete"),
        (&["\t", "\x1b[9u", "\x1b[9;1u"], "tab"),
        (&["\r", "\x1b[13u", "\x1bOM", "\x1b[27;1;13~", "\x1b[57414u"], "enter"),
        (&["\x7f", "\x1b[127u"], "backspace"),
        (&["\x1b", "\x1b[27u", "\x1b[27;1:2u"], "esc"),
        (&["\x1bOP", "\x1b[P", "\x1b[11~", "\x1b[[A"], "f1"),
        (&["\x1b[15~", "\x1b[[E"], "f5"),
        (&["\x1b[24~"], "f12"),
        (&["\x03", "\x1b[99;5u", "\x1b[27;5;99~"], "ctrl-c"),
        (&["\x1bm", "\x1b[109;3u", "\x1b[27;3;109~"], "alt-m"),
        (&["j", "\x1b[106u", "\x1b[106;1:1u", "\x1b[27;1;106~"], "j"),
        (&["?", "\x1b[47:63;2u", "\x1b[47;2;63u"], "?"),
        (&["*", "\x1bOj"], "*"),
        (&["7", "\x1bOw", "\x1b[57406u"], "7"),
        (&["é", "\x1b[233u"], "é"),
        (&["漢"], "漢"),
    ] {
        let Input::Key(Stroke(expected)) = key(name) else { panic!("a key") };
        for text in spelled {
            for part in [text.len(), 1] {
                let inputs = read(text.as_bytes(), part);
                let [Input::Key(Stroke(pressed))] = inputs[..] else { panic!("{text:?} in {part}: {inputs:?}") };
                let plain = |modifiers: KeyModifiers| modifiers.difference(KeyModifiers::SHIFT);
                assert_eq!(
                    (pressed.code, plain(pressed.modifiers)),
                    (expected.code, plain(expected.modifiers)),
                    "{text:?}"
                );
            }
        }
    }
    let shifted = |code| Input::Key(Stroke(KeyEvent::new(code, KeyModifiers::SHIFT)));
    for back_tab in ["\x1b[Z", "\x1b[9;2u", "\x1b[27;2;9~"] {
        assert_reads(back_tab, &[shifted(KeyCode::BackTab)]);
    }
    for upper in ["G", "\x1b[103;2u", "\x1b[103:71;2u", "\x1b[27;2;71~"] {
        assert_reads(upper, &[shifted(KeyCode::Char('G'))]);
    }
    for (spelled, code, modifiers) in [
        ("\x1b[1;5A", KeyCode::Up, KeyModifiers::CONTROL),
        ("\x1bO5A", KeyCode::Up, KeyModifiers::CONTROL),
        ("\x1b\x1b[A", KeyCode::Up, KeyModifiers::ALT),
        ("\x1b\x1bOA", KeyCode::Up, KeyModifiers::ALT),
        ("\x1b\r", KeyCode::Enter, KeyModifiers::ALT),
        ("\0", KeyCode::Char(' '), KeyModifiers::CONTROL),
    ] {
        assert_reads(spelled, &[Input::Key(Stroke(KeyEvent::new(code, modifiers)))]);
    }
}

#[test]
fn the_mouse_the_focus_and_pastes() {
    let at = |gesture| Input::Mouse(gesture, 9, 4);
    for (spelled, input) in [
        ("\x1b[<0;10;5M", at(Gesture::Press)),
        ("\x1b[<0;10;5m", at(Gesture::Release)),
        ("\x1b[<32;10;5M", at(Gesture::Drag)),
        ("\x1b[<64;10;5M", at(Gesture::Wheel(true))),
        ("\x1b[<65;10;5M", at(Gesture::Wheel(false))),
        ("\x1b[32;10;5M", at(Gesture::Press)),
        ("\x1b[M *%", at(Gesture::Press)),
        ("\x1b[M#*%", at(Gesture::Release)),
        ("\x1b[I", Input::Focus(true)),
        ("\x1b[O", Input::Focus(false)),
        ("\x1b[200~one\ntwo\x1b[31m é\x1b[201~", Input::Paste("one\ntwo\x1b[31m é".to_owned())),
        ("\x1b[200~\x1b[201~", Input::Paste(String::new())),
    ] {
        assert_reads(spelled, &[input]);
    }
    for nothing in ["\x1b[<0;0;5M", "\x1b[<2;10;5M", "\x1b[<64;999999;0M", "\x1b[<1;2M", "\x1b[201~", "\x1b[M\x1f!!"] {
        assert_reads(nothing, &[]);
    }
    // What is pasted ends though its end is lost.
    assert_reads("\x1b[200~lost", &[Input::Paste("lost".to_owned())]);
}

#[test]
fn what_is_typed_stays_typed() {
    let alt = |name: char| Input::Key(Stroke(KeyEvent::new(KeyCode::Char(name), KeyModifiers::ALT)));
    assert_reads("\x1b]", &[alt(']')]);
    assert_reads("\x1b[", &[alt('[')]);
    assert_reads("\x1b]jk", &[vec![alt(']')], typed("jk")].concat());
    assert_reads("\x1b]1", &[vec![alt(']')], typed("1")].concat());
    assert_reads("\x1b_j", &[vec![alt('_')], typed("j")].concat());
    assert_reads("ab\x1bb漢", &[typed("ab"), vec![alt('b')], typed("漢")].concat());
    assert_reads("\x1b\x1b", &[key("esc"), key("esc")]);
    // Esc and Ctrl-C that arrive together end what is going on.
    assert_reads("\x1b\x03", &[key("esc"), key("ctrl-c")]);
    let mut decoder = Decoder::default();
    assert_eq!(decoder.take(b"\x1b"), []);
    assert_eq!(decoder.give_up(), [key("esc")]);
    // A key by itself, however soon.
    assert_eq!(decoder.take(b"["), typed("["));
    assert_eq!(decoder.take(b"jj"), typed("jj"));
    // What is no character is nothing, and takes nothing with it.
    assert_eq!(read(b"\xffa\xc3b\xe6\xbcc\x80d\xf4\x90\x80\x80e", 1), typed("abcde"));
    // What is cancelled, and what breaks off, takes nothing with it.
    assert_reads("\x1b[?6\x18j", &typed("j"));
    assert_reads("\x1b[?6\rj", &[vec![key("enter")], typed("j")].concat());
    assert_reads("\x1b]11;rgb\x1b[A", &[key("up")]);
}

#[test]
fn fuzz_terminal() {
    let keys = ["\x1b[1;5A", "\x1b[<0;10;5M", "\x1b[M !!", "\x1b[97;5u", "j漢é\r\x1b", "\x1b[27;5;9~", "\x1bOA\x1b[[A"];
    let pastes = ["\x1b[200~PO-94116\x1b[201~", "\x1b]11;rgb:ffff/ffff/ffff\x07"];
    let corpus = CHATTER.iter().chain(&keys).chain(&pastes).map(|text| text.as_bytes().to_vec()).collect();
    let bits =
        ["\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b\\", "\x07", "\x1b[200~", "\x1b[201~", ";", ":", "?", "M", "~", "u"];
    crosstail_fuzz::Target { name: "terminal", corpus, bits: &bits, longest: 100_000 }.run(|number, input| {
        // In whatever parts it comes, it means the same.
        let whole = read(input, input.len());
        assert_eq!(read(input, 1 + number % 7), whole);
    });
}
