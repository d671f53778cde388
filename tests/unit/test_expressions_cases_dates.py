"""Dates: what is read, every format specifier, sums at month and year ends, zones at clock changes, spans."""

from __future__ import annotations

from typing import Any

import pytest
from expression_cases import FAILS, check, params

T = "'2024-03-05T07:08:09.1234567Z'"

READING = [
    ("formatDateTime('2024-02-29', 'o')", "2024-02-29T00:00:00.0000000"),
    ("formatDateTime('2023-02-29', 'o')", FAILS),
    ("formatDateTime('2024-03-05T07:08:09')", "2024-03-05T07:08:09.0000000"),
    ("formatDateTime('2024-03-05 07:08', 'o')", "2024-03-05T07:08:00.0000000"),
    ("formatDateTime('2024-03-05T07:08:09Z')", "2024-03-05T07:08:09.0000000Z"),
    ("formatDateTime('2024-03-05T07:08:09+02:00')", "2024-03-05T05:08:09.0000000Z"),
    ("formatDateTime('2024-03-05T07:08:09.1-05:30')", "2024-03-05T12:38:09.1000000Z"),
    ("formatDateTime('2024-03-05T07:08:09.12345678Z')", "2024-03-05T07:08:09.1234568Z"),
    ("formatDateTime('2024-03-05T24:00:00')", "2024-03-06T00:00:00.0000000"),
    ("formatDateTime('2024-03-05T25:00:00')", FAILS),
    ("formatDateTime('2024-03-05T07:60:00')", FAILS),
    ("formatDateTime('3/5/2024')", "2024-03-05T00:00:00.0000000"),
    ("formatDateTime('3/5/2024 7:08 PM')", "2024-03-05T19:08:00.0000000"),
    ("formatDateTime('5 March 2024')", "2024-03-05T00:00:00.0000000"),
    ("formatDateTime('Tue, 05 Mar 2024 07:08:09 GMT')", "2024-03-05T07:08:09.0000000Z"),
    ("formatDateTime('Mon, 05 Mar 2024 07:08:09 GMT')", FAILS),
    ("formatDateTime('20240305')", FAILS),
    ("formatDateTime('13/5/2024')", FAILS),
    ("formatDateTime('')", FAILS),
    ("formatDateTime('  2024-03-05  ')", "2024-03-05T00:00:00.0000000"),
    ("formatDateTime('x')", FAILS),
    ("formatDateTime(null)", FAILS),
    ("formatDateTime(20240305)", FAILS),
    ("formatDateTime('0001-01-01')", "0001-01-01T00:00:00.0000000"),
    ("formatDateTime('9999-12-31T23:59:59.9999999')", "9999-12-31T23:59:59.9999999"),
    ("formatDateTime('2024-03-05T07:08:09.9999999Z', 'HH:mm:ss.fff')", "07:08:09.999"),
]

FORMATS = [
    (f"formatDateTime({T}, '{pattern}')", value)
    for pattern, value in [
        ("d", "3/5/2024"),
        ("D", "Tuesday, March 5, 2024"),
        ("f", "Tuesday, March 5, 2024 7:08 AM"),
        ("F", "Tuesday, March 5, 2024 7:08:09 AM"),
        ("g", "3/5/2024 7:08 AM"),
        ("G", "3/5/2024 7:08:09 AM"),
        ("m", "March 5"),
        ("M", "March 5"),
        ("o", "2024-03-05T07:08:09.1234567Z"),
        ("O", "2024-03-05T07:08:09.1234567Z"),
        ("r", "Tue, 05 Mar 2024 07:08:09 GMT"),
        ("R", "Tue, 05 Mar 2024 07:08:09 GMT"),
        ("s", "2024-03-05T07:08:09"),
        ("t", "7:08 AM"),
        ("T", "7:08:09 AM"),
        ("u", "2024-03-05 07:08:09Z"),
        ("U", "Tuesday, March 5, 2024 7:08:09 AM"),
        ("y", "March 2024"),
        ("Y", "March 2024"),
        ("", "3/5/2024 7:08:09 AM"),
        ("x", FAILS),
        ("%d", "5"),
        ("dd", "05"),
        ("ddd", "Tue"),
        ("dddd", "Tuesday"),
        ("%M", "3"),
        ("MM", "03"),
        ("MMM", "Mar"),
        ("MMMM", "March"),
        ("%y", "24"),
        ("yy", "24"),
        ("yyy", "2024"),
        ("yyyy", "2024"),
        ("yyyyy", "02024"),
        ("%h", "7"),
        ("hh", "07"),
        ("%H", "7"),
        ("HH", "07"),
        ("%m", "8"),
        ("mm", "08"),
        ("%s", "9"),
        ("ss", "09"),
        ("%f", "1"),
        ("ff", "12"),
        ("fff", "123"),
        ("ffffff", "123456"),
        ("fffffff", "1234567"),
        ("ffffffff", FAILS),
        ("%F", "1"),
        ("FFFFFFF", "1234567"),
        ("%t", "A"),
        ("tt", "AM"),
        ("%K", "Z"),
        ("%z", "+0"),
        ("zz", "+00"),
        ("zzz", "+00:00"),
        ("%g", "A.D."),
        ("yyyy-MM-ddTHH:mm:ssZ", "2024-03-05T07:08:09Z"),
        ("yyyyMMddHHmmssfff", "20240305070809123"),
        ("MM/dd/yyyy", "03/05/2024"),
        ("HH:mm", "07:08"),
        ("ddd, MMM d", "Tue, Mar 5"),
        ("\\d\\d d", "dd 5"),
        ('"Day" d', "Day 5"),
        ("yyyy%", FAILS),
        ("yyyy\\", FAILS),
        ('"open', FAILS),
        ("Q", FAILS),
        ("dd QQ", "05 QQ"),
        ("100%% dd", FAILS),
    ]
]

CULTURES = [
    (f"formatDateTime({T}, 'D', 'de-DE')", "Dienstag, 5. März 2024"),
    (f"formatDateTime({T}, 'd', 'de-DE')", "05.03.2024"),
    (f"formatDateTime({T}, 'D', 'fr-FR')", "mardi 5 mars 2024"),
    (f"formatDateTime({T}, 'dddd d MMMM', 'es-ES')", "martes 5 marzo"),
    (f"formatDateTime({T}, 'MMMM', 'pl-PL')", "marzec"),
    (f"formatDateTime({T}, 'd MMMM', 'pl-PL')", "5 marca"),
    (f"formatDateTime({T}, 'd', 'en-GB')", "05/03/2024"),
    (f"formatDateTime({T}, 'd', 'ja-JP')", "2024/03/05"),
    (f"formatDateTime({T}, 'dd/MM/yyyy', 'de-DE')", "05.03.2024"),
    (f"formatDateTime({T}, 'D', 'xx-QQ')", FAILS),
    ("parseDateTime('5 mars 2024', 'fr-FR')", "2024-03-05T00:00:00.0000000"),
    ("parseDateTime('05.03.2024', 'de-DE')", "2024-03-05T00:00:00.0000000"),
    ("parseDateTime('05/03/2024', 'en-GB')", "2024-03-05T00:00:00.0000000"),
    ("parseDateTime('05/03/2024', 'en-US')", "2024-05-03T00:00:00.0000000"),
    ("parseDateTime('05/03/2024')", "2024-05-03T00:00:00.0000000"),
    ("parseDateTime('20240305', 'en-US', 'yyyyMMdd')", "2024-03-05T00:00:00.0000000"),
    ("parseDateTime('20240305 0708', 'en-US', 'yyyyMMdd HHmm')", "2024-03-05T07:08:00.0000000"),
    ("parseDateTime('20240305', 'en-US', 'yyyy-MM-dd')", FAILS),
    ("parseDateTime('5. März 2024', 'de-DE', 'd. MMMM yyyy')", "2024-03-05T00:00:00.0000000"),
    ("parseDateTime('2024-03-05T07:08:09+02:00', 'en-US', 'yyyy-MM-ddTHH:mm:sszzz')", "2024-03-05T05:08:09.0000000Z"),
    ("parseDateTime('03-05-24 7:08 PM', 'en-US', 'MM-dd-yy h:mm tt')", "2024-03-05T19:08:00.0000000"),
    ("parseDateTime('31/02/2024', 'en-GB')", FAILS),
    ("parseDateTime(null)", FAILS),
]

SUMS = [
    ("addDays('2024-02-28', 1)", "2024-02-29T00:00:00.0000000"),
    ("addDays('2024-12-31', 1, 'yyyy-MM-dd')", "2025-01-01"),
    ("addDays('2024-03-01', -1, 'yyyy-MM-dd')", "2024-02-29"),
    ("addDays('2024-03-01', 1.5)", FAILS),
    ("addDays('2024-03-01', '1')", FAILS),
    ("addDays('9999-12-31', 1)", FAILS),
    ("addDays('0001-01-01', -1)", FAILS),
    ("addDays('2024-03-01', 9223372036854775807)", FAILS),
    ("addHours('2024-12-31T23:30:00Z', 1)", "2025-01-01T00:30:00.0000000Z"),
    ("addMinutes('2024-03-01T00:00:00', -1)", "2024-02-29T23:59:00.0000000"),
    ("addSeconds('2024-03-01T00:00:00Z', 86400)", "2024-03-02T00:00:00.0000000Z"),
    ("addSeconds('2024-03-01T07:00:00+01:00', 1)", "2024-03-01T06:00:01.0000000Z"),
    ("addToTime('2024-01-31', 1, 'Month', 'yyyy-MM-dd')", "2024-02-29"),
    ("addToTime('2023-01-31', 1, 'month', 'yyyy-MM-dd')", "2023-02-28"),
    ("addToTime('2024-02-29', 1, 'Year', 'yyyy-MM-dd')", "2025-02-28"),
    ("addToTime('2024-02-29', 4, 'Year', 'yyyy-MM-dd')", "2028-02-29"),
    ("addToTime('2024-03-31', -1, 'Month', 'yyyy-MM-dd')", "2024-02-29"),
    ("addToTime('2024-01-15', -13, 'Month', 'yyyy-MM-dd')", "2022-12-15"),
    ("addToTime('2024-01-01', 2, 'Week', 'yyyy-MM-dd')", "2024-01-15"),
    ("addToTime('2024-01-01', 1, 'Fortnight')", FAILS),
    ("addToTime('2024-01-01', 1, 'Days')", FAILS),
    ("addToTime('9999-12-01', 1, 'Month')", FAILS),
    ("subtractFromTime('2024-03-31', 1, 'Month', 'yyyy-MM-dd')", "2024-02-29"),
    ("subtractFromTime('2024-01-01', 1, 'Second')", "2023-12-31T23:59:59.0000000"),
    ("startOfDay('2024-03-05T23:59:59.9Z')", "2024-03-05T00:00:00.0000000Z"),
    ("startOfHour('2024-03-05T23:59:59.9')", "2024-03-05T23:00:00.0000000"),
    ("startOfMonth('2024-03-31T10:00:00Z', 'yyyy-MM-dd')", "2024-03-01"),
    ("dayOfWeek('2024-03-03')", 0),
    ("dayOfWeek('2024-03-09')", 6),
    ("dayOfYear('2024-12-31')", 366),
    ("dayOfYear('2023-12-31')", 365),
    ("dayOfMonth('2024-02-29')", 29),
    ("ticks('0001-01-01')", 0),
    ("ticks('1970-01-01T00:00:00Z')", 621355968000000000),
    ("ticks('2024-03-05T07:08:09.1234567Z')", 638452192891234567),
    ("ticks('9999-12-31T23:59:59.9999999')", 3155378975999999999),
    ("div(sub(ticks('2024-03-02'), ticks('2024-03-01')), 864000000000)", 1),
    ("dateDifference('2024-03-01', '2024-03-02')", "1.00:00:00"),
    ("dateDifference('2024-03-02', '2024-03-01')", "-1.00:00:00"),
    ("dateDifference('2024-03-01', '2024-03-01')", "00:00:00"),
    ("dateDifference('2024-03-01T00:00:00Z', '2024-03-01T01:02:03.5Z')", "01:02:03.5000000"),
    ("dateDifference('2023-01-01', '2024-03-01')", "425.00:00:00"),
    ("formatDateTime(addDays(startOfMonth(addToTime('2024-01-31', 1, 'Month')), -1), 'yyyy-MM-dd')", "2024-01-31"),
]

# Europe: +1, +2 from 31 March 2024 01:00Z to 27 October 2024 01:00Z. New York: -5, -4 from 10 March to 3 November.
ZONES = [
    ("convertFromUtc('2024-03-31T00:59:59Z', 'W. Europe Standard Time')", "2024-03-31T01:59:59.0000000"),
    ("convertFromUtc('2024-03-31T01:00:00Z', 'W. Europe Standard Time')", "2024-03-31T03:00:00.0000000"),
    ("convertFromUtc('2024-10-27T00:30:00Z', 'W. Europe Standard Time')", "2024-10-27T02:30:00.0000000"),
    ("convertFromUtc('2024-10-27T01:30:00Z', 'W. Europe Standard Time')", "2024-10-27T02:30:00.0000000"),
    ("convertFromUtc('2024-12-31T23:30:00Z', 'Europe/Berlin', 'yyyy-MM-dd HH:mm')", "2025-01-01 00:30"),
    ("convertFromUtc('2024-03-10T06:59:00Z', 'Eastern Standard Time')", "2024-03-10T01:59:00.0000000"),
    ("convertFromUtc('2024-03-10T07:00:00Z', 'Eastern Standard Time')", "2024-03-10T03:00:00.0000000"),
    ("convertFromUtc('2024-07-01T12:00:00Z', 'India Standard Time')", "2024-07-01T17:30:00.0000000"),
    ("convertFromUtc('2024-07-01T12:00:00Z', 'Nepal Standard Time', 'HH:mm')", "17:45"),
    ("convertFromUtc('2024-07-01T12:00:00Z', 'UTC')", "2024-07-01T12:00:00.0000000Z"),
    ("convertFromUtc('2024-07-01T12:00:00Z', 'GMT Standard Time')", "2024-07-01T13:00:00.0000000"),
    ("convertFromUtc('2024-07-01T12:00:00Z', 'Nowhere')", FAILS),
    ("convertFromUtc('2024-07-01T12:00:00Z', '../etc/passwd')", FAILS),
    ("convertFromUtc('2024-07-01T12:00:00+02:00', 'w. europe standard time')", "2024-07-01T12:00:00.0000000"),
    ("convertToUtc('2024-03-31T03:00:00', 'W. Europe Standard Time')", "2024-03-31T01:00:00.0000000Z"),
    ("convertToUtc('2024-03-31T02:30:00', 'W. Europe Standard Time')", FAILS),
    ("convertToUtc('2024-10-27T02:30:00', 'W. Europe Standard Time')", "2024-10-27T01:30:00.0000000Z"),
    ("convertToUtc('2024-07-01T12:00:00', 'Pacific Standard Time')", "2024-07-01T19:00:00.0000000Z"),
    ("convertToUtc('2024-07-01T12:00:00Z', 'Pacific Standard Time')", FAILS),
    ("convertToUtc('2024-07-01T12:00:00Z', 'UTC')", "2024-07-01T12:00:00.0000000Z"),
    (
        "convertTimeZone('2024-07-01T12:00:00', 'Pacific Standard Time', 'Tokyo Standard Time')",
        "2024-07-02T04:00:00.0000000",
    ),
    ("convertTimeZone('2024-07-01T12:00:00', 'Eastern Standard Time', 'UTC', 's')", "2024-07-01T16:00:00"),
]

SPANS = [
    ("formatTimeSpan('1.02:03:04.5000000', 'c')", "1.02:03:04.5000000"),
    ("formatTimeSpan('1.02:03:04.5', 'g')", "1:2:03:04.5"),
    ("formatTimeSpan('02:03:04', 'g')", "2:03:04"),
    ("formatTimeSpan('1.02:03:04.5', 'G')", "1:02:03:04.5000000"),
    ("formatTimeSpan('1.02:03:04.5', 'G', 'de-DE')", "1:02:03:04,5000000"),
    ("formatTimeSpan('-02:03:04', 'c')", "-02:03:04"),
    ("formatTimeSpan('-02:03:04', 'hh\\:mm')", "02:03"),
    ("formatTimeSpan('1.02:03:04', 'd'' days ''h''h''')", "1 days 2h"),
    ("formatTimeSpan('1.02:03:04', '%d')", "1"),
    ("formatTimeSpan('1.02:03:04', 'd')", FAILS),
    ("formatTimeSpan('1.02:03:04', 'hh:mm')", FAILS),
    ("formatTimeSpan('00:00:01.25', 's\\.ff')", "1.25"),
    ("formatTimeSpan('00:00:01.5', 's\\.FFF')", "1.5"),
    ("formatTimeSpan('6', '%d')", "6"),
    ("formatTimeSpan('24:00', 'c')", FAILS),
    ("formatTimeSpan('x', 'c')", FAILS),
    ("formatTimeSpan(null, 'c')", FAILS),
    ("formatTimeSpan(dateDifference('2024-03-01', '2024-03-02T05:00:00'), 'd\\.hh\\:mm')", "1.05:00"),
]

ALL = [*READING, *FORMATS, *CULTURES, *SUMS, *ZONES, *SPANS]
NOW = {"now": "2026-01-02T03:04:05.0000000Z"}

CLOCK = [
    ("utcNow()", "2026-01-02T03:04:05.0000000Z"),
    ("utcNow('yyyy-MM-dd')", "2026-01-02"),
    ("utcNow('d')", "1/2/2026"),
    ("utcNow('')", "1/2/2026 3:04:05 AM"),
    ("utcNow(1)", FAILS),
    ("getFutureTime(1, 'Month')", "2026-02-02T03:04:05.0000000Z"),
    ("getFutureTime(5, 'Day', 'yyyy-MM-dd')", "2026-01-07"),
    ("getFutureTime(-1, 'Year', 'yyyy')", "2025"),
    ("getPastTime(1, 'Week', 'yyyy-MM-dd')", "2025-12-26"),
    ("getPastTime(2, 'Nanosecond')", FAILS),
    ("formatDateTime(utcNow(), 'HH')", "03"),
    ("formatDateTime(addDays(utcNow(), -2), 'yyyy-MM-dd')", "2025-12-31"),
    ("formatDateTime(convertFromUtc(utcNow(), 'Tokyo Standard Time'), 'dddd HH:mm')", "Friday 12:04"),
    ("ticks(startOfDay(utcNow()))", 639029088000000000),
    ("equals(startOfDay(utcNow()), startOfDay(addHours(utcNow(), 1)))", True),
]


@pytest.mark.parametrize(("text", "expected"), params(ALL))
def test_dates(text: str, expected: Any) -> None:
    check(text, expected)


@pytest.mark.parametrize(("text", "expected"), params(CLOCK))
def test_the_time_of_the_evaluation(text: str, expected: Any) -> None:
    check(text, expected, NOW)


# A date inside of a date is handed on as a moment, not as text. Both ways must give the same.
@pytest.mark.parametrize(
    "inner",
    [
        "addDays({t}, 3)",
        "addToTime({t}, -5, 'Month')",
        "startOfMonth({t})",
        "startOfHour({t})",
        "convertFromUtc({t}, 'W. Europe Standard Time')",
        "convertTimeZone({t}, 'UTC', 'Tokyo Standard Time')",
    ],
)
@pytest.mark.parametrize(
    "outer", ["formatDateTime({}, 'ddd dd.MM.yyyy HH:mm:ss.fffffffK')", "ticks({})", "addSeconds({}, 7)"]
)
@pytest.mark.parametrize("time", ["2024-03-05T07:08:09.1234567Z", "2024-12-31", "2024-10-27T02:30:00+02:00"])
def test_dates_inside_of_dates(inner: str, outer: str, time: str) -> None:
    from sealflow.engine.expressions import evaluate_text

    context = {"variables": {"t": time}}
    text = evaluate_text(inner.format(t="variables('t')"), context)
    fused = evaluate_text(outer.format(inner.format(t="variables('t')")), context)
    assert fused == evaluate_text(outer.format("variables('t')"), {"variables": {"t": text}})
