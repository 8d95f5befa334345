"""What looks like a person: numbers, names and dates that belong in a sealed payload; pure.

Chinese forms first: GB 11643-1999 (identity numbers, with their check digit), mobile numbers of the
national plan, family names. A guess, made to warn somebody.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Sign(Enum):
    """What a text looks like, in words."""

    IDENTITY = "an identity card's number"
    PHONE = "a phone number"
    MAIL = "a mail address"
    NUMBER = "a patient's number"
    NAME = "a person's name"
    BIRTH = "a date of birth"
    ADDRESS = "an address"


_IDENTITY: Final = re.compile(r"(?<![0-9A-Za-z])([0-9]{17}[0-9Xx])(?![0-9A-Za-z])")
_PHONE: Final = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9][0-9]{9}(?![0-9A-Za-z])")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"

_FAMILY_NAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_NAME: Final = re.compile(rf"[{_FAMILY_NAMES}][\u4e00-\u9fff]{{1,2}}")

_COLUMNS: Final = (
    (Sign.IDENTITY, r"id_?card(_?no)?|identity(_?no)?|sfzh?|sfz_?no|national_?id"),
    (Sign.PHONE, r"(mobile|phone|tel|telephone|lxdh|dh)(_?(no|number))?"),
    (Sign.MAIL, r"e?_?mail(_?address)?"),
    (Sign.BIRTH, r"(date_of_)?birth(_?(day|date))?|dob|csrq"),
    (Sign.ADDRESS, r"(home_?)?address|addr|jtdz|dz"),
    (
        Sign.NUMBER,
        r"(patient|pat|mrn|inpatient|outpatient|admission|card|record)(_?(id|no|num|number|code))?"
        r"|pid|brid|blh|zyh|mzh|jzkh|visit_?no",
    ),
    (Sign.NAME, r"((patient|pat|person|full|first|last|family|given|contact)_?)?name|xm|hzxm|brxm"),
)


def signs_in(text: str) -> frozenset[Sign]:
    """Return what stands anywhere in a text, whatever it is about."""
    found = set()
    if any(has_check_digit(number[1]) for number in _IDENTITY.finditer(text)):
        found.add(Sign.IDENTITY)
    if _PHONE.search(text):
        found.add(Sign.PHONE)
    if _MAIL.search(text):
        found.add(Sign.MAIL)
    return frozenset(found)


def sign_of(value: str, about: str | None) -> Sign | None:
    """Return what a whole value looks like; `about` is the name of its column or parameter."""
    everywhere = sorted(signs_in(value), key=lambda sign: sign.value)
    if everywhere:
        return everywhere[0]
    if about is None:
        return Sign.NAME if _NAME.fullmatch(value) else None
    if len(value.strip()) < 2 or value.strip("% ") == "":
        return None
    for sign, form in _COLUMNS:
        if re.fullmatch(form, about.lower()):
            return sign
    return None


def has_check_digit(number: str) -> bool:
    """Return whether the last of 18 digits is the check digit of the others (GB 11643-1999)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return _CHECKS[total % 11] == number[17].upper()
