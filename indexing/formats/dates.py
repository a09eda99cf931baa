"""A date as people and programs write it -> an aware datetime in UTC."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

_PDF = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([+-])(\d{2})'?(\d{2})?|Z)?")
_NUMBERS = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?\s*(?:[T ]\s*(\d{1,2}):(\d{2}))?")
_FORMATS = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d. %B %Y", "%B %Y", "%Y-%m", "%Y")
_SAYS_WHEN = re.compile(
    r"(?:^|[.,;:|·(–—]\s*)(?:last |latest )?(?:in force|effective|valid|issued|published|updated|reviewed|revised"
    r"|dated|status|as of|release date|date(?=:))(?: (?:as of|of|on|from|since|date))?\s*:?\s*"
    r"|(?:生效|施行|实施|實施|发布|發布|更新|修订|修訂|编制|編製|签订|簽訂)?(?:日期|时间|時間)\s*(?::|\uff1a)\s*"
    r"|自\s*(?=[\d年月日\s]{6,20}起(?:施行|实施|實施|生效|执行|執行))",
    re.IGNORECASE | re.MULTILINE,
)
_WRITTEN = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{4}\s*年\s*\d{1,2}\s*月\s*\d{1,2}\s*日"
    r"|\d{1,2}\.? [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, \d{4}"
)
HEAD = 500
"""Characters of a document in which it says from when it is."""


def as_utc(value: object) -> datetime | None:
    """The moment that a value names, None when it names none. Without a zone it is taken as UTC."""
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str) or not 4 <= len(value.strip()) <= 64:
        return None
    text = value.strip()
    for read in (_iso, _pdf, _numbers, _mail, _spelled):
        try:
            found = read(text)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if found is not None:
            return _aware(found)
    return None


def stated_date(text: str) -> datetime | None:
    """The day from which a text says in its beginning that it is or holds ("in force from 1 February 2024",
    生效日期：2025年1月1日); None where it says none. The first one that it says counts."""
    for cue in _SAYS_WHEN.finditer(text[:HEAD]):
        day = _WRITTEN.match(text, cue.end())
        found = as_utc(day.group()) if day else None
        if found is not None:
            return found
    return None


def _aware(moment: datetime) -> datetime | None:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _iso(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if "-" in text or "T" in text else None


def _pdf(text: str) -> datetime | None:
    found = _PDF.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    zone: timezone = UTC
    if found[7]:
        shift = timedelta(hours=int(found[8]), minutes=int(found[9] or 0))
        zone = timezone(shift if found[7] == "+" else -shift)
    return datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=zone)


def _numbers(text: str) -> datetime | None:
    found = _NUMBERS.match(text)
    if not found:
        return None
    year, month, day = (int(part) for part in found.groups()[:3])
    return datetime(year, month, day, int(found[4] or 0), int(found[5] or 0))


def _mail(text: str) -> datetime | None:
    return parsedate_to_datetime(text) if ":" in text else None


def _spelled(text: str) -> datetime | None:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
