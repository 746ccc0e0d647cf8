"""What markup and characters hide is taken out and counted; in files it is marked, and marks turn back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import hidden_characters as characters
from bot.domain.hidden_markup import as_people_see, together, words_as_people_see
from bot.wording import reading

# Text on the left, what people see, and the classes of what they do not. "evil" is never seen.
HIDDEN = [
    ("hello <!-- evil --> there", "hello  there", {"html-comment": 1}),
    ("<!-- evil\n\nevil -->\n\nseen", "\n\nseen", {"html-comment": 1}),
    ("<!-- never closed\n\nevil\n\n- evil\n\n    evil", "", {"html-comment": 1}),
    ("<div>\n<!--\n\nevil\n\n-->\n\nevil", "<div>\n", {"html-comment": 1}),
    ("<div>\n`<!-- evil -->`\n</div>", "<div>\n``\n</div>", {"html-comment": 1}),
    ("<?evil?> a <!DOCTYPE evil> b <![CDATA[evil]]>", " a  b ", {"html-comment": 3}),
    ("> quoted <!-- evil -->\n> more", "> quoted \n> more", {"html-comment": 1}),
    ("| a | b |\n|---|---|\n| <!-- evil --> x | y |", "| a | b |\n|---|---|\n|  x | y |", {"html-comment": 1}),
    (
        "<details><summary>Log</summary>\n\nevil\n\n```\nevil\n```\n</details>\n\nafter",
        "Log\n\n\nafter",
        {"details": 1},
    ),
    ("<DETAILS class=x>evil\n\nevil", "", {"details": 1}),
    ("<details/>evil\n\nevil", "", {"details": 1}),
    ("<details><summary>x</summary><summary>evil</summary></details> y", "x y", {"details": 1}),
    ("<details><div><summary>evil</summary></div></details>s", "s", {"details": 1}),
    (
        "<details><summary><script>evil</script>s</summary></details>",
        "s",
        {"details": 1, "hidden-element": 1},
    ),
    (
        "<details><summary>s</summary><details><summary>evil</summary>evil</details></details>!",
        "s!",
        {"details": 2},
    ),
    ("<details><summary>s</summary><details><summary>evil</details>evil</details>!", "s!", {"details": 2}),
    ("<p hidden>evil</p> ok", " ok", {"hidden-element": 1}),
    ('a <span style="display: none">evil</span> b', "a  b", {"hidden-element": 1}),
    ("a <style>evil</style> b", "a  b", {"hidden-element": 1}),
    ("<img src=x alt='evil' width=3> <b title=\"evil\">x</b>", '<img src="x"> <b>x</b>', {"html-attribute": 2}),
    ('<a title="`">x`</a>', "<a>x`</a>", {"html-attribute": 1}),
    ('![evil](http://x/y.png "evil")', "![](http://x/y.png)", {"alt-text": 1, "link-title": 1}),
    ("![evil alt]\n\n[evil alt]: http://x/y.png", "![]\n", {"alt-text": 1, "reference": 1}),
    ("[a](http://b 'evil') [](http://evil)", "[a](http://b) ", {"empty-link": 1, "link-title": 1}),
    ("[//]: # (evil)\n\nseen", "\nseen", {"reference": 1}),
    ("[x]:\n/url\n'evil title'\n\nok", "\nok", {"reference": 3}),
    ("[1] and\n\n[1]: http://x 'evil'", "[1] and\n\n[1]: http://x", {"link-title": 1}),
    ("[^1] a\n\n[^1]: seen\n[^2]: evil\nevil\n\n    evil\n\nok", "[^1] a\n\n[^1]: seen\n\n\n\nok", {"reference": 1}),
    ("```python evil words\ncode\n```", "```python\ncode\n```", {"fence-info": 1}),
    ("```mermaid\ngraph TD\n%% evil\nA-->B\n```", "```mermaid\ngraph TD\nA-->B\n```", {"formula": 1}),
    ("$\\phantom{evil}$ costs $5 and 20% of $6", " costs $5 and 20% of $6", {"formula": 1}),
    ("a&#8203;b &zwnj;c", "ab c", {"zero-width": 2}),
    ("a\u200bb\u202ec\U000e0041d\ue000", "abcd", {"zero-width": 1, "bidi": 1, "tag": 1, "private-use": 1}),
    ("x\ufe01\ufe02y\x1bz\u2028w", "xyz w", {"variation-selector": 2, "control": 1, "separator": 1}),
]

SHOWN = [
    "`<!-- shown -->` and ``a ` b``",
    "```html\n<!-- shown -->\n<details>shown\n```",
    "    <!-- shown as code -->",
    "- item\n\n      <!-- shown as code -->",
    "x <!-- not closed\n\nseen",
    "<details open>\n\nseen\n\n</details>",
    "1 < 2, a<b, use the <style> tag, <module> and <object object at 0x7f>",
    "text `a <b` and `c> d`",
    "it costs $5 or 20 % of $6, [a](http://b), ![](x.png), [1]\n\n[1]: http://x",
    "\U0001f44d\U0001f3fd \u2714\ufe0f \u2764\ufe0f 1\ufe0f\u20e3 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "- a [b](c) and [x][y]\n\n  [y]: z\n\n\\<details>shown",
    "| a \\| b | `c` |\n|---|---|\n| d | e |\n\n---\n\nTitle\n=====",
    "<details open>\n\n[b](c)\n\n</details>\n\nshown",
    "see [1](a(b(c))) and ![](d) and [](",
    "<div align='center'><img src='a.png' width=10><a href='http://b'>c</a></div>",
    "> " * 25 + "shown",
    "[^1]: shown\n\nword[^1]",
    "$x$ and 5 % of $y$",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937",
]


@pytest.mark.parametrize(("text", "seen", "hidden"), HIDDEN)
def test_what_people_do_not_see_is_taken_out_and_counted(text: str, seen: str, hidden: dict[str, int]) -> None:
    found = as_people_see(text)
    assert (found.text, dict(found.hidden)) == (seen, hidden)
    assert "evil" not in found.text.replace("http://evil", "")


# People see nothing of "evil" here: what looks like its fold's or its code's end is none, or its start looks like none.
FOLLOWED_BY_EVIL = [
    "<details>\n\n\\</details>\n\nevil",
    "<details>\n\n[a](</details>)\n\nevil",
    "<details>\n\n[a](b '</details>')\n\nevil",
    "<details>\n\n[a](b '`x`</details>')\n\nevil",
    "<details>\n\n![</details>](b)\n\nevil",
    "<details>\n\n[a](<summary>)evil",
    "<details>\n\n`</details>`\n\nevil",
    "a <details>[b](</details>) evil",
    "a <details>[b](c '</details>') evil",
    "a <details>[b](c '`x`</details>') evil",
    "a <details>![</details>](b) evil",
    "a <details>\\</details> evil",
    "a <details>[b](<summary>) evil",
    "a <p x'><details>'>\n\nevil",
    "<p x'><details>'>\n\nevil",
    "<p title='>evil\n\nevil </p>",
    "a <!-- -- <details> -->\n\nevil",
    "<div>\n<!-- --!><details>-->evil",
    "a <?x><details>?>\n\nevil",
    "a <![CDATA[><details>]]>\n\nevil",
    "<details x'open'>evil",
    "<details x\x0bopen>evil",
    "<span style='display:none' style=''>evil</span>",
    "<span style='display&#58;none'>evil</span>",
    "| a | b | c |\n|---|---|---|\n| ` | <!-- evil --> | ` |",
    "> " * 25 + "![evil](x)",
    "> " * 70 + "<b title=evil>",
    "![a [b [evil] c] d](x)",
    "![a `evil` b](x)",
    "[a](b 'x `evil` y')",
    '[a](b "x\\\nevil")',
    "[a](b((c)) 'evil')",
    "[a]( <b> 'evil' )",
    "[&#8203;&zwnj; \u200b](evil)",
    "[evil\nevil]: /url",
    "[x]\n\n[x]: /url\n[x]: <evil>",
    "<!-- [x] -->\n\n[x]: <evil>",
    "![y](z '[x]')\n\n[x]: <evil>",
    "`[^1]` a\n\n[^1]: evil words",
    "> [^1]: evil words\n\nok",
    "[^1]: evil words [^1]",
    "[a][evil words]\n\n[evil words]: /url",
    "[a [b] c][evil words]\n\n[evil words]: /url",
    "![a][evil words]\n\n[evil words]: /url",
    "<p align='evil words'>a</p>",
    "a <b evil words>a</b>",
    "<p>a</p evil words>",
    "a <p href='evil'>a</p>",
    "a <img src='x evil'>",
    "<ruby>a<rp>evil</rp></ruby>",
    "<video>evil</video> <audio>evil</audio> <canvas>evil</canvas> <object>evil</object>",
    "<datalist>evil</datalist> <dialog>evil</dialog>",
]


@pytest.mark.parametrize("text", FOLLOWED_BY_EVIL)
def test_what_only_looks_like_an_end_shows_nothing(text: str) -> None:
    found = as_people_see(text)
    assert "evil" not in found.text
    assert found.hidden


@pytest.mark.parametrize("text", SHOWN)
def test_what_people_see_stays_as_it_is(text: str) -> None:
    found = as_people_see(text)
    assert (found.text, dict(found.hidden)) == (text, {})


STYLES = [
    *(
        "display:none",
        "visibility: hidden",
        "visibility:collapse",
        "opacity:0",
        "opacity: 0.0;",
        "font-size:0",
        "font-size: 0.5px",
    ),
    *(
        "color: transparent",
        "color:white",
        "color:#fff",
        "text-indent:-99px",
        "left:-999px",
        "top: -9em",
        "clip:rect(0,0,0,0)",
    ),
    *("clip-path: inset(100%)", "width:0", "max-height: 0", "height:0"),
]


@pytest.mark.parametrize("style", STYLES)
def test_a_style_that_hides_an_element_hides_its_words(style: str) -> None:
    found = as_people_see(f'a <i style="x:y;{style}">evil <i>evil</i></i> b')
    assert (found.text, dict(found.hidden)) == ("a  b", {"hidden-element": 1})


@pytest.mark.parametrize(
    "style", ["opacity:0.5", "font-size:10px", "color:red", "left:5px", "width:10px", "display:inline"]
)
def test_a_style_that_shows_an_element_is_only_an_attribute(style: str) -> None:
    found = as_people_see(f'a <i style="{style}">seen</i> b')
    assert (found.text, dict(found.hidden)) == ("a <i>seen</i> b", {"html-attribute": 1})


@pytest.mark.parametrize("name", ["script", "style", "template", "noscript", "svg", "math"])
def test_elements_without_a_face_hide_their_words(name: str) -> None:
    found = as_people_see(f"a <{name}>evil<b>evil</b></{name}> b")
    assert (found.text, dict(found.hidden)) == ("a  b", {"hidden-element": 1})


@pytest.mark.parametrize("name", "area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
def test_elements_that_hold_nothing_hide_nothing_behind_them(name: str) -> None:
    found = as_people_see(f"a <{name} hidden> seen </{name}>")
    assert "seen" in found.text
    assert found.hidden == {}


@pytest.mark.parametrize("drawn", ["mermaid", "math", "Mermaid"])
def test_comments_of_drawings_show_nowhere(drawn: str) -> None:
    assert as_people_see(f"```{drawn}\nA\n  %% evil\nB\n```\n").text == f"```{drawn}\nA\nB\n```\n"
    assert as_people_see(f"```{drawn}\n\\color{{white}}evil\n```\n").text == f"```{drawn}\n```\n"


@pytest.mark.parametrize("drawn", ["geojson", "topojson", "STL"])
def test_of_maps_and_bodies_nobody_sees_the_source(drawn: str) -> None:
    found = as_people_see(f"> ```{drawn}\n> evil\n> ```\nseen")
    assert (found.text, dict(found.hidden)) == (f"> ```{drawn}\n> ```\nseen", {"formula": 1})


@pytest.mark.parametrize(
    "line", ["accTitle: evil", "accDescr: evil", 'click A "x" "evil"', "classDef evil a", " style A evil"]
)
def test_a_drawing_that_hides_words_is_taken_out(line: str) -> None:
    found = as_people_see(f"```mermaid\nA-->B\n{line}\n```")
    assert (found.text, dict(found.hidden)) == ("```mermaid\n```", {"formula": 2})
    shown = f"```sh\nA-->B\n{line}\n```"
    assert as_people_see(shown).text == shown


@pytest.mark.parametrize(
    "formula", ["$\\color{white}{evil}$", "$$\nx \\hphantom{evil}\n$$", "$\\tiny evil$", "$x % evil$", "$$x % evil$$"]
)
def test_formulas_that_hide_are_taken_out(formula: str) -> None:
    found = as_people_see(f"a {formula} b")
    assert (found.text, dict(found.hidden)) == ("a  b", {"formula": 1})


def test_a_formula_in_a_code_span_between_dollars_is_one() -> None:
    found = as_people_see("a $`\\textcolor{#fff}{evil}`$ b, `\\color{shown}` and $`x`$")
    assert (found.text, dict(found.hidden)) == ("a  b, `\\color{shown}` and $`x`$", {"formula": 1})


def test_formulas_that_show_stay() -> None:
    for text in ("a $x^2$ b", "$$\nx + y\n$$", "$5 and $6", "```math\nx\n```"):
        assert as_people_see(text).text == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a <!--> b", "a  b"),
        ("a <!---> b", "a  b"),
        ("<div>\n<!-- evil --!> b", "<div>\n b"),
        ("a <!x evil> b", "a  b"),
        ("a <! b", "a <! b"),
        ("<div\nevil", ""),
        (f"a <b title='{'evil ' * 500}'> c", "a <b> c"),
        ("a [b](c (evil)) d", "a [b](c) d"),
        ("a [b](<c> 'evil') d", "a [b](<c>) d"),
        ("![a [evil] b](c)", "![](c)"),
        ("[a][x] \n\n[x]: y", "[a][x] \n\n[x]: y"),
        ("[A  b]\n\n[a B]: y", "[A  b]\n\n[a B]: y"),
        ("> [x]: y 'evil'\n\n[x]", "> [x]: y\n\n[x]"),
        ("~~~sh evil\n$ ls\n~~~", "~~~sh\n$ ls\n~~~"),
        ("> ```sh evil\n> ls\n> ```", "> ```sh\n> ls\n> ```"),
        ("a \\`<!-- evil -->` b", "a \\`` b"),
        ("a <!-- ` evil --> b ` c", "a  b ` c"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_odd_forms(text: str, seen: str) -> None:
    assert as_people_see(text).text == seen


def test_what_follows_a_fold_is_seen_again() -> None:
    for end in ("\n\n</details>\n\nseen", "\n\na\n</details>\n\nseen", "</details>seen"):
        found = as_people_see(f"<details>evil{end}")
        assert ("seen" in found.text, "evil" in found.text, dict(found.hidden)) == (True, False, {"details": 1})


def test_what_is_nested_too_deep_is_read_as_plain_text() -> None:
    text = "seen\n\n[evil](b 'evil')\nevil\n\n  evil\n\nseen &#8203;too\n\n`evil`\n\n$evil\n\n" + "> " * 70
    found = as_people_see(f"{text}a\n\n<b>evil\n\nevil")
    assert found.text == "seen\n\nseen too\n\n" + "> " * 70 + "a\n\n"
    assert found.hidden == {"hidden-element": 1, "reference": 4, "zero-width": 1}
    for cut in ("```evil", "~~~ evil", "$$evil", "<!--evil", "</evil", "<?evil"):
        assert as_people_see(f"{'> ' * 70}seen {cut}").text == f"{'> ' * 70}seen "


def test_a_hidden_sign_makes_no_fence_that_people_do_not_see() -> None:
    found = as_people_see("``\u200b`\n<!-- evil -->\n``\u200b`")
    assert "evil" not in found.text


def test_logs_and_titles_keep_their_signs() -> None:
    found = words_as_people_see("\x1b[31mE\x1b[0m <module> \x1b]0;evil\x07x <!-- evil --> \u202e")
    assert found.text == "E <module> x  "
    assert found.hidden == {"bidi": 1, "html-comment": 1}


def test_every_class_has_a_name_and_is_told() -> None:
    classes = {name for _, _, hidden in HIDDEN for name in hidden}
    assert classes < set(reading.CLASSES)
    assert reading.hidden_text("the issue", {"tag": 57, "details": 1, "fence-info": 2}) == (
        "Hidden text was taken out of the issue: 57 tag characters, 1 collapsed fold, 2 lines behind code fences."
    )
    assert reading.comments_left_out(1).startswith("1 comment was not read")
    assert together({"tag": 1}, {"tag": 2, "bidi": 1}) == {"bidi": 1, "tag": 3}


@given(st.text(max_size=200))
def test_any_text_is_read_and_nothing_hidden_is_left_of_it(text: str) -> None:
    found = as_people_see(text)
    assert as_people_see(found.text).hidden.keys() <= {"html-comment", "html-attribute", "reference", "alt-text"}
    assert characters.without_hidden(found.text)[1] == {}
