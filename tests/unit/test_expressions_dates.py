"""Date and time functions: reading, writing, moving and converting, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions.dotnet import cldr
from sealflow.engine.expressions.dotnet.cultures import culture
from sealflow.engine.expressions.dotnet.date_format import format_moment
from sealflow.engine.expressions.dotnet.date_parse import parse_moment
from sealflow.engine.expressions.dotnet.date_parse_exact import parse_exact
from sealflow.engine.expressions.dotnet.faults import FormatError
from sealflow.engine.expressions.dotnet.moment import DAY, LAST_TICK, Moment
from sealflow.engine.expressions.dotnet.zones import from_utc, to_utc, zone
from sealflow.engine.expressions.functions import dates

NOW = "2025-09-25T05:18:31.3384797Z"
FUNCTIONS = {function.name: function for function in dates.FAMILY.functions}


def call(name: str, *arguments: Any) -> Any:
    function = FUNCTIONS[name]
    function.check_count(len(arguments))
    return function.implementation(*((NOW, *arguments) if function.clock else arguments))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("o", NOW),
        ("O", NOW),
        ("r", "Thu, 25 Sep 2025 05:18:31 GMT"),
        ("s", "2025-09-25T05:18:31"),
        ("u", "2025-09-25 05:18:31Z"),
        ("U", "Thursday, September 25, 2025 5:18:31 AM"),
        ("m", "September 25"),
        ("Y", "September 2025"),
        ("d", "9/25/2025"),
        ("D", "Thursday, September 25, 2025"),
        ("f", "Thursday, September 25, 2025 5:18 AM"),
        ("F", "Thursday, September 25, 2025 5:18:31 AM"),
        ("g", "9/25/2025 5:18 AM"),
        ("G", "9/25/2025 5:18:31 AM"),
        ("t", "5:18 AM"),
        ("T", "5:18:31 AM"),
        ("yyyyMMddTHHmmss", "20250925T051831"),
        ("ddd, d MMM yyyy", "Thu, 25 Sep 2025"),
        ("%d", "25"),
        ("%h", "5"),
        ("hh\\h tt t", "05h AM A"),
        ("y yy yyy yyyyy", "25 25 2025 02025"),
        ("'at' HH \"o''clock\"", "at 05 o''clock"),
        ("f ff fff fffffff", "3 33 338 3384797"),
        ("ss.FFFFFFF", "31.3384797"),
        ("zzz K zz z", "+00:00 Z +00 +0"),
        ("g yyyy", "A.D. 2025"),
        ("yyyy-MM-dd hh:mm:ss", "2025-09-25 05:18:31"),
    ],
)
def test_patterns(pattern: str, expected: str) -> None:
    assert call("utcNow", pattern) == expected


def test_an_optional_fraction_goes_with_its_point() -> None:
    assert call("formatDateTime", "2018-03-15T01:02:03Z", "ss.FFF") == "03"
    assert call("formatDateTime", "2018-03-15T01:02:03.120Z", "ss.FFF") == "03.12"


@pytest.mark.parametrize("pattern", ["q", "%", "%%", "'open", "ends\\", "ffffffff"])
def test_wrong_patterns(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        call("utcNow", pattern)


@pytest.mark.parametrize(
    ("locale", "pattern", "expected"),
    [
        ("fr-FR", "dddd MMMM d", "jeudi mars 15"),
        ("fr-fr", "D", "jeudi 15 mars 2018"),
        ("de-DE", "D", "Donnerstag, 15. März 2018"),
        ("de-DE", "d", "15.03.2018"),
        ("de-DE", "dd/MM/yyyy", "15.03.2018"),
        ("da-DK", "dd/MM/yyyy HH:mm", "15.03.2018 13.05"),
        ("en-GB", "G", "15/03/2018 13:05:00"),
        ("en-CA", "d", "2018-03-15"),
        ("es-ES", "D", "jueves, 15 de marzo de 2018"),
        ("it-IT", "D", "giovedì 15 marzo 2018"),
        ("nl-NL", "d", "15-03-2018"),
        ("pt-BR", "D", "quinta-feira, 15 de março de 2018"),
        ("pl-PL", "d MMMM yyyy", "15 marca 2018"),
        ("pl-PL", "y", "marzec 2018"),
        ("ru-RU", "MMMM yyyy", "март 2018"),
        ("ru-RU", "d MMMM yyyy", "15 марта 2018"),
        ("ja-JP", "d", "2018/03/15"),
        ("zh-CN", "d", "2018/3/15"),
        ("ko-KR", "t", "오후 1:05"),
        ("de", "MMMM", "März"),
        ("de-LI", "MMMM", "März"),
        ("", "d", "03/15/2018"),
    ],
)
def test_locales(locale: str, pattern: str, expected: str) -> None:
    assert call("formatDateTime", "2018-03-15T13:05:00", pattern, locale) == expected


@pytest.mark.parametrize("locale", ["xx-YY", "ar-SA", "th-TH", "12"])
def test_unknown_locales_are_refused(locale: str) -> None:
    with pytest.raises(ExpressionError, match="culture"):
        call("formatDateTime", "2018-03-15", "d", locale)


def test_every_culture_writes_what_it_reads() -> None:
    moment = Moment.of(2019, 11, 5, 17, 3, 9)
    for name in cldr.load().cultures:
        known = culture(name)
        for pattern in ("d", "D", "yyyy-MM-dd HH:mm:ss", "dddd d MMMM yyyy", "ddd dd MMM yyyy"):
            written = format_moment(moment, pattern, known)
            assert parse_exact(written, pattern, known).date == moment.date, (name, pattern, written)
        assert parse_moment(format_moment(moment, "G", known), known) == moment, name
        assert len(known.days) == 7
        assert len(known.months) == 12


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("20/10/2014", "fr-FR"), "2014-10-20T00:00:00.0000000"),
        (("20 octobre 2010", "fr-FR"), "2010-10-20T00:00:00.0000000"),
        (("1er mars 2020", "fr-FR"), "2020-03-01T00:00:00.0000000"),
        (("martes 20 octubre 2020", "es-es"), "2020-10-20T00:00:00.0000000"),
        (("martes, 20 de octubre de 2020", "es-ES"), "2020-10-20T00:00:00.0000000"),
        (("20. Oktober 2014 13:05", "de-DE"), "2014-10-20T13:05:00.0000000"),
        (("20.10.14", "de-DE"), "2014-10-20T00:00:00.0000000"),
        (("2014年10月20日", "ja-JP"), "2014-10-20T00:00:00.0000000"),
        (("15.3.2018 13.05", "fi-FI"), "2018-03-15T13:05:00.0000000"),
        (("Oct 20, 2014 3:05:06 PM",), "2014-10-20T15:05:06.0000000"),
        (("Mon, 20 Oct 2014 15:05:06 GMT",), "2014-10-20T15:05:06.0000000Z"),
        (("10/20/49",), "2049-10-20T00:00:00.0000000"),
        (("10/20/50",), "1950-10-20T00:00:00.0000000"),
        (("10/20/2014 5 pm",), "2014-10-20T17:00:00.0000000"),
        (("10/20/2014 12:30 AM",), "2014-10-20T00:30:00.0000000"),
        (("March 2018",), "2018-03-01T00:00:00.0000000"),
        (("2018-3-5 7:08",), "2018-03-05T07:08:00.0000000"),
        (("2014-10-20T15:05:06.5+02:00",), "2014-10-20T13:05:06.5000000Z"),
        (("2014-10-20 15:05:06 -0130",), "2014-10-20T16:35:06.0000000Z"),
        (("1970-01-01Z00:00:00",), "1970-01-01T00:00:00.0000000Z"),
        (("20190521", "fr-fr", "yyyyMMdd"), "2019-05-21T00:00:00.0000000"),
        (("10/20/2014 15h", "en-US", "MM/dd/yyyy HH\\h"), "2014-10-20T15:00:00.0000000"),
        (("05.11.19 7 PM", "en-US", "dd.MM.yy h tt"), "2019-11-05T19:00:00.0000000"),
        (("2019-05-21T10:00:00+02:00", "en-US", "yyyy-MM-ddTHH:mm:sszzz"), "2019-05-21T08:00:00.0000000Z"),
        (("2019-05-21T10:00:00Z", "en-US", "yyyy-MM-ddTHH:mm:ss.FFFK"), "2019-05-21T10:00:00.0000000Z"),
        (("Tue, 21 May 2019 10:00:00 GMT", "de-DE", "r"), "2019-05-21T10:00:00.0000000Z"),
    ],
)
def test_parse_date_time(arguments: tuple[str, ...], expected: str) -> None:
    assert call("parseDateTime", *arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        ("hello",),
        ("13/20/2014",),
        ("2014-02-30",),
        ("2014-10-20T25:00:00",),
        ("10:30",),
        ("Tue, 20 Oct 2014",),
        ("1/2/3/4",),
        ("1" * 300,),
        ("2014-10-20T00:00:00+15:00",),
        ("2019-5-21", "en-US", "yyyy-MM-dd"),
        ("20190521x", "en-US", "yyyyMMdd"),
        ("20190521", "en-US", ""),
    ],
)
def test_texts_that_are_no_time(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ExpressionError):
        call("parseDateTime", *arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("addDays", ("2018-03-15", 10), "2018-03-25T00:00:00.0000000"),
        ("addDays", ("2018-03-15T00:00:00Z", -10, "d"), "3/5/2018"),
        ("addDays", ("2018-03-15T00:00:00Z", 2.0), "2018-03-17T00:00:00.0000000Z"),
        ("addHours", ("2018-03-15T15:00:00+05:00", 1), "2018-03-15T11:00:00.0000000Z"),
        ("addMinutes", ("2018-03-15T00:20:00.1234567Z", -5), "2018-03-15T00:15:00.1234567Z"),
        ("addSeconds", ("2018-12-31T23:59:59", 1), "2019-01-01T00:00:00.0000000"),
        ("addToTime", ("2020-01-31T10:00:00Z", 1, "Month"), "2020-02-29T10:00:00.0000000Z"),
        ("addToTime", ("2020-02-29", 1, "year", "d"), "2/28/2021"),
        ("addToTime", ("2020-03-31", -1, "Month"), "2020-02-29T00:00:00.0000000"),
        ("subtractFromTime", ("2018-01-08T00:00:00Z", 1, "Week", "D"), "Monday, January 1, 2018"),
        ("getFutureTime", (1, "Month", "yyyy-MM-dd"), "2025-10-25"),
        ("getPastTime", (26, "Day", "yyyy-MM-dd"), "2025-08-30"),
        ("startOfDay", ("2018-03-15T13:30:30.5Z",), "2018-03-15T00:00:00.0000000Z"),
        ("startOfHour", ("03/15/2018 13:30:30",), "2018-03-15T13:00:00.0000000"),
        ("startOfMonth", ("2018-03-15T13:30:30Z",), "2018-03-01T00:00:00.0000000Z"),
        ("dayOfMonth", ("2018-03-15",), 15),
        ("dayOfWeek", ("2018-03-18",), 0),
        ("dayOfYear", ("2020-12-31",), 366),
        ("ticks", ("1970-01-01T00:00:00Z",), 621355968000000000),
        ("dateDifference", ("2018-07-30", "2015-02-08"), "-1268.00:00:00"),
        ("dateDifference", ("2018-07-30T10:00:00", "2018-07-30T09:59:59.5"), "-00:00:00.5000000"),
        ("dateDifference", ("2018-07-30", "2018-07-30"), "00:00:00"),
        ("formatDateTime", ("2018-12-15T05:00:00+13:00", "dd-MMM"), "14-Dec"),
        ("formatDateTime", ("2018-03-15T24:00:00",), "2018-03-16T00:00:00.0000000"),
        ("formatDateTime", ("2018-12-15T05:00:00.12345678Z",), "2018-12-15T05:00:00.1234568Z"),
        ("formatDateTime", ("2020-01-01", None, "de-DE"), "2020-01-01T00:00:00.0000000"),
        ("utcNow", (), NOW),
    ],
)
def test_functions(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("addDays", ("9999-12-31", 1)),
        ("addDays", ("2018-03-15", "x")),
        ("addDays", ("2018-03-15", 1.5)),
        ("addDays", ("2018-03-15", True)),
        ("addDays", (None, 1)),
        ("addDays", (5, 1)),
        ("addDays", ("0001-01-01", -(2**62))),
        ("addToTime", ("2020-01-01", 1, "fortnight")),
        ("addToTime", ("2020-01-01", 10**6, "Year")),
        ("dayOfWeek", ("yesterday",)),
    ],
)
def test_wrong_arguments(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ExpressionError, match=name):
        call(name, *arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("convertFromUtc", ("2018-01-01T08:00:00Z", "UTC"), "2018-01-01T08:00:00.0000000Z"),
        # The clocks of the United States, forward and back.
        ("convertFromUtc", ("2018-03-11T09:59:59Z", "Pacific Standard Time"), "2018-03-11T01:59:59.0000000"),
        ("convertFromUtc", ("2018-03-11T10:00:00Z", "pacific standard time"), "2018-03-11T03:00:00.0000000"),
        ("convertFromUtc", ("2018-11-04T08:30:00Z", "Pacific Standard Time"), "2018-11-04T01:30:00.0000000"),
        ("convertFromUtc", ("2018-11-04T09:30:00Z", "Pacific Standard Time"), "2018-11-04T01:30:00.0000000"),
        ("convertToUtc", ("2018-11-04T01:30:00", "Pacific Standard Time"), "2018-11-04T09:30:00.0000000Z"),
        ("convertToUtc", ("2018-11-04T00:59:59", "Pacific Standard Time"), "2018-11-04T07:59:59.0000000Z"),
        ("convertToUtc", ("2018-03-11T03:00:00", "Pacific Standard Time"), "2018-03-11T10:00:00.0000000Z"),
        # Europe changes at one moment, the south in the other half of the year, India not at all, and by half hours.
        ("convertFromUtc", ("2021-03-28T00:59:59Z", "W. Europe Standard Time"), "2021-03-28T01:59:59.0000000"),
        ("convertFromUtc", ("2021-03-28T01:00:00Z", "GMT Standard Time"), "2021-03-28T02:00:00.0000000"),
        ("convertFromUtc", ("2022-02-01T03:41:11Z", "Cen. Australia Standard Time"), "2022-02-01T14:11:11.0000000"),
        ("convertFromUtc", ("2022-07-01T00:00:00Z", "India Standard Time", "g"), "7/1/2022 5:30 AM"),
        ("convertFromUtc", ("2022-07-01T00:00:00Z", "Nepal Standard Time", "t"), "5:45 AM"),
        ("convertFromUtc", ("2022-02-01T03:41:11Z", "Tokyo Standard Time", "HH:mm zzz K"), "12:41 +00:00 "),
        ("convertTimeZone", ("2018-01-01T08:00:00Z", "UTC", "Pacific Standard Time"), "2018-01-01T00:00:00.0000000"),
        ("convertTimeZone", ("2018-07-01T08:00:00", "Europe/Berlin", "UTC"), "2018-07-01T06:00:00.0000000Z"),
        ("convertFromUtc", ("0001-01-01T00:00:00Z", "Pacific Standard Time"), "0001-01-01T00:00:00.0000000"),
        ("convertFromUtc", ("9999-12-31T23:59:59Z", "Tokyo Standard Time"), "9999-12-31T23:59:59.9999999"),
    ],
)
def test_time_zones(name: str, arguments: tuple[str, ...], expected: str) -> None:
    assert call(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("convertToUtc", ("2018-03-11T02:30:00", "Pacific Standard Time")),
        ("convertToUtc", ("2021-03-28T02:00:00", "W. Europe Standard Time")),
        ("convertToUtc", ("2018-11-04T02:00:00Z", "Pacific Standard Time")),
        ("convertFromUtc", ("2018-01-01", "Nowhere Standard Time")),
        ("convertFromUtc", ("2018-01-01", "../../etc/passwd")),
        ("convertFromUtc", ("2018-01-01", "")),
    ],
)
def test_conversions_that_cannot_be(name: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(ExpressionError, match=name):
        call(name, *arguments)


def test_every_windows_zone_has_rules() -> None:
    for name in cldr.load().windows_zones:
        there = from_utc(Moment.of(2024, 6, 15, 12, utc=True), zone(name))
        assert abs(there.ticks - Moment.of(2024, 6, 15, 12).ticks) <= 14 * DAY // 24


@settings(max_examples=200, deadline=None)
@given(st.integers(0, LAST_TICK), st.booleans())
def test_what_is_written_is_read_back(ticks: int, utc: bool) -> None:
    moment = Moment(ticks, utc)
    english = culture("en-US")
    assert parse_moment(format_moment(moment, "o", english), english) == moment
    assert parse_exact(format_moment(moment, "o", english), "o", english) == moment
    seconds = Moment(ticks - ticks % 10_000_000)
    assert parse_moment(format_moment(seconds, "F", english), english) == seconds


@settings(max_examples=100, deadline=None)
@given(st.integers(DAY * 700_000, DAY * 740_000), st.sampled_from(sorted(cldr.load().windows_zones)))
def test_a_zone_gives_back_the_moment_unless_the_clock_repeats(ticks: int, name: str) -> None:
    where = zone(name)
    there = from_utc(Moment(ticks, utc=True), where)
    back = to_utc(there, where)
    assert from_utc(back, where) == there


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.text("0123456789/-:., TZapm+月é", max_size=25))
def test_any_text_is_a_moment_or_an_error(text: str) -> None:
    for locale in ("en-US", "fr-FR", "fi-FI", "ja-JP"):
        try:
            moment = parse_moment(text, culture(locale))
        except FormatError:
            continue
        assert 0 <= moment.ticks <= LAST_TICK


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12) | st.text("dfFghHKmMstyz:/%\\'\" .", max_size=12))
def test_any_pattern_writes_or_is_an_error(pattern: str) -> None:
    try:
        text = format_moment(Moment.of(2019, 11, 5, 17, 3, 9), pattern, culture("pl-PL"))
    except FormatError:
        return
    try:
        parse_exact(text, pattern, culture("pl-PL"))
    except FormatError:
        pass
