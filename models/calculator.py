"""The calculator: exact arithmetic that a question asks for in English or Chinese; it answers only what it fully
understands."""

import ast
import math
import operator
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from indexing.chinese import simplified
from models.types import Candidate
from models.words import language_of

MAX_EXPONENT = 1000
MAX_DIGITS = 40
"""Beyond these an answer is neither readable nor quick to compute."""
MAX_BITS = 14_000
"""Of a numerator or denominator on the way: below the 4,300 digits that Python still writes out."""
MAX_LENGTH = 200
"""Characters of a sum that a person types; the patterns below take quadratic time."""

DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
FIGURES_OF_DIGITS = str.maketrans("零〇一二三四五六七八九点", "00123456789.")
NEXT_LOWER = {"百": "十", "千": "百", "万": "千", "亿": "千万"}
"""The unit that a last digit leaves out: 一万二 is 一万二千."""

SMALL = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
NUMBER_WORDS = DIGITS | {word: value for value, word in enumerate(SMALL)}
NUMBER_WORDS |= {word: (value + 2) * 10 for value, word in enumerate(TENS)}
ENGLISH_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
SCALES = ENGLISH_SCALES | {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}

FIGURES = r"\d+(?:\.\d+)?"
SCALE = "|".join(ENGLISH_SCALES)
WORD = "|".join([*SMALL, *TENS, *ENGLISH_SCALES])
DECIMALS = "点[零〇一二三四五六七八九]+"
NUMBER = re.compile(
    rf"\b(?:{FIGURES}(?:\s*|-)(?:{SCALE})|{WORD})(?:(?:\s+(?:and\s+)?|-)(?:{WORD}))*\b|"
    rf"(?:{FIGURES}\s*(?=[十百千万亿])|[{''.join(DIGITS)}十千万亿]|百(?!分之))+(?:{DECIMALS}[万亿]*)?"
)
"""A number with a word or a Chinese sign in it: two hundred and five, 2.5 million, 三点五, 1亿2000万."""
SIGN = re.compile(rf"{FIGURES}|[a-z]+|{DECIMALS}|[^\s-]")

FRAME = re.compile(
    r"^(?:(?:please|hey|so|and|ok(?:ay)?|can you|could you|tell me|do you know|what\s*'?s|what is|what are|how much is|"
    r"how much are|calculate|compute|evaluate|work out|solve|find|the (?:result|answer|value|sum) of)(?![a-z])|"
    r"请问|请|帮我|你?知道|麻烦|算一下|计算一下|计算|算算|求|那么|那|的?结果是|,|，|:|：|\s)+|"
    r"(?:=|equals?|is what|please|for me|是多少|"
    r"等于多少|等于几|得多少|得几|是几|等于|的结果|多少|呢|吗|[?？。.!！]|\s)++$"
)
WIDE = str.maketrans("０１２３４５６７８９．％＋－＊／＾＝（）ｘＸ", "0123456789.%+-*/^=()xX")
"""Only the signs of a sum: Unicode's own folding makes 52 of 5² too."""
REWRITES: tuple[tuple[str, str], ...] = (
    (r"(?:the )?square root of\s*([\d.]+|\([^()]*\))", r"sqrt(\1)"),
    (r"([\d.]+)\s*的平方根", r"sqrt(\1)"),
    (r"√\s*([\d.]+)", r"sqrt(\1)"),
    (r"根号\s*([\d.]+)", r"sqrt(\1)"),
    (r"([\d.]+)\s*的平方", r"(\1)**2 "),
    (r"([\d.]+)\s*的立方", r"(\1)**3 "),
    (r"([\d.]+)\s*的\s*([\d.]+)\s*次方", r"(\1)**(\2)"),
    (r"百分之\s*([\d.]+)", r"\1%"),
    (r"percent|per cent", "%"),
    (r"([\d.]+)\s*%\s*(?:of|的)\s*([\d.]+)", r"(\1/100*\2)"),
    (r"([\d.]+)\s*%\s*off\s*([\d.]+)", r"(\2*(1-\1/100))"),
    (r"([\d.]+)\s*/\s*([\d.]+)\s*of\s*([\d.]+)", r"(\1/\2*\3)"),
    (r"([\d.]+)\s*的\s*([\d.]+)\s*%", r"(\1*\2/100)"),
    (r"divide\s+([\d.]+)\s+by\s+([\d.]+)", r"\1/\2"),
    (r"multiply\s+([\d.]+)\s+(?:by|and|with)\s+([\d.]+)", r"\1*\2"),
    (r"add\s+([\d.]+)\s+(?:and|to)\s+([\d.]+)", r"\1+\2"),
    (r"subtract\s+([\d.]+)\s+from\s+([\d.]+)", r"\2-\1"),
    (r"half of\s+([\d.]+)", r"\1/2"),
    (r"(?:raised )?to the power of|次方于", "**"),
    (r"([\d.)]+)\s*squared", r"\1**2 "),
    (r"([\d.)]+)\s*cubed", r"\1**3 "),
    (r"multiplied by|times|乘以|乘|×|·|✕|(?<=[\d)])(?:\s+|(?<!\b0))x(?=\s*[\d(])", "*"),
    (r"divided by|over|除以|÷", "/"),
    (r"plus|加上|加", "+"),
    (r"minus|减去|减|−", "-"),
    (r"modulo|mod|取余", "%"),
    (r"\^", "**"),
    (r"^([\d.]+)\s*([+-])\s*([\d.]+)\s*%$", r"\1*(1\2\3/100)"),
)
NAME_LIKE = re.compile(
    r"[\d.]+/[1-9][\d.]*|\+?\d+([-/.])\d+(?:\1\d+)+|\d{3}-\d{4}|"
    r"(?:0?[1-9]|1[0-2])\s*·\s*(?:0?[1-9]|[12]\d|3[01])"
)
"""9/11 and 24/7, dates (5·12), telephone numbers: sums only when a value is asked for."""
YEARS = re.compile(r"(1\d|20)(\d\d)(?:\s*-\s*(1\d|20)|-)(\d\d)")
SIZE = re.compile(r"\d+(?:x\d+)+")
ASKS_VALUE = re.compile(r"=|equal|calculate|compute|evaluate|work out|solve|how much|result|value|等于|多少|几|算|求")
SIDE_BY_SIDE = re.compile(r"[\d.)]\s+[\d.(]")
SHARES = re.compile(r"[+-]?\s*[\d.]+\s*%(?:\s*[+-]\s*[\d.]+\s*%)*")
SHARE_ADDED = re.compile(r"[+-]\s*[\d.]+\s*%\s*(?:[+)-]|$)|(?:^|[+(-])\s*[\d.]+\s*%\s*[+-]")
"""A percentage added to more than one number (5 + 10% + 2) is a share of what nothing tells; among percentages alone
it is a number."""

BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


class CannotCompute(ValueError):
    """The expression is understood and has no readable value (division by zero, too large, too small)."""


def calculator(question: str) -> Candidate | None:
    """The value of the arithmetic that a question asks for; None when it asks anything else."""
    expression = arithmetic(question)
    if expression is None:
        return None
    chinese = language_of(question) == "zh"
    shown = expression.replace("**", "^").replace("*", "×")
    try:
        value = readable(evaluate(expression))
    except CannotCompute as error:
        reason = str(error)
        text = f"{shown} 无法计算。" if chinese else f"{shown} cannot be computed: {reason}."
        return Candidate(text, origin="calculator", kind="tool")
    text = f"{shown} = {value}" + ("。" if chinese else ".")
    return Candidate(text, short=value, origin="calculator", kind="tool")


def arithmetic(question: str) -> str | None:
    """The question as an expression of numbers and operators, or None when words are left over."""
    asked = simplified(question.translate(WIDE)).strip().lower().replace("’", "'")
    if len(asked) > MAX_LENGTH:
        return None
    text = re.sub(r"(\d),(?=\d{3}(?!\d))", r"\1", unframed(asked))
    text = unframed(NUMBER.sub(lambda match: f" {number(match.group()) or match.group()} ", text))
    if is_name(text, asked == text) and not ASKS_VALUE.search(asked):
        return None
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text)
    if SIDE_BY_SIDE.search(text) or (SHARE_ADDED.search(text) and not SHARES.fullmatch(text)):
        return None
    text = re.sub(r"([\d.]+)\s*%(?!\s*[\d(])", r"(\1/100)", text).replace(" ", "")
    if not re.fullmatch(r"(?:sqrt|[\d.+\-*/%()])+", text) or not re.search(r"\d.*[+\-*/%].*\d|sqrt|\d/100", text):
        return None
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    return text


def is_name(text: str, alone: bool) -> bool:
    """Whether figures name something: a date, a telephone number, years; alone also a size, or years cut short.

    >>> is_name("9/11", False), is_name("1914-1918", False), is_name("2024-1987", False), is_name("4x4", True)
    (True, True, False, True)
    """
    years = YEARS.fullmatch(text)
    if years and (years[3] or alone):
        return years[1] + years[2] < (years[3] or years[1]) + years[4]
    return bool(NAME_LIKE.fullmatch(text) or (alone and SIZE.fullmatch(text)))


def unframed(text: str) -> str:
    """The text without the words around a sum: "what is", "等于多少"."""
    previous = ""
    while previous != text:
        previous, text = text, FRAME.sub("", text)
    return text


def number(written: str) -> str | None:
    """One number in figures; None for what is none, such as two side by side.

    >>> [number(written) for written in ("two hundred and five", "1.5亿", "一万二", "nineteen eighty four", "二三十")]
    ['205', '150000000', '12000', None, None]
    """
    plain = written.translate(FIGURES_OF_DIGITS)
    if re.fullmatch(FIGURES, plain):
        return plain
    signs = SIGN.findall(written)
    if DIGITS.get(signs[-1]) and len(signs) > 1:
        signs += NEXT_LOWER.get(signs[-2], "")
    parts: list[tuple[Fraction, int]] = []
    for before, sign in pairwise(["", *signs]):
        if sign == "and" or (sign in "零〇" and before in SCALES):
            continue
        counted = []
        while sign in SCALES and parts and parts[-1][1] < SCALES[sign]:
            counted.append(parts.pop())
        value, unit = scaled(SCALES[sign], counted) if sign in SCALES else simple(sign)
        if parts and not 0 < value < parts[-1][1]:
            return None
        parts.append((value, unit))
    total = sum((value for value, _ in parts), Fraction(0))
    return str(total) if total.denominator == 1 else f"{Decimal(total.numerator) / total.denominator:f}"


def simple(sign: str) -> tuple[Fraction, int]:
    """The value of figures, of a word below a hundred or of decimals, and its unit: only less than that may follow."""
    if sign in NUMBER_WORDS:
        return Fraction(NUMBER_WORDS[sign]), 10 if sign in TENS else 1
    value = Fraction(sign.translate(FIGURES_OF_DIGITS))
    return value, 1 if value.denominator == 1 else 0


def scaled(scale: int, counted: list[tuple[Fraction, int]]) -> tuple[Fraction, int]:
    """So many hundreds, thousands, 万, ..., and the unit: nothing may follow 1.5亿."""
    count = sum((value for value, _ in counted), Fraction(not counted))
    return count * scale, scale if all(unit for _, unit in counted) else 0


def chinese_number(written: str) -> str:
    """ "三百零五" -> "305"; what is no number ("二三十") sign by sign."""
    return number(written) or "".join(str((DIGITS | SCALES)[sign]) for sign in written)


def evaluate(expression: str) -> Fraction:
    """The exact value of an expression of numbers, + - * / % ** and sqrt. Raises CannotCompute."""
    return value_of(ast.parse(expression, mode="eval").body)


def value_of(tree: ast.expr) -> Fraction:
    """One node's value; nothing but numbers, operators and sqrt is admitted."""
    match tree:
        case ast.Constant(value=int() | float() as number):
            if len(str(number)) > MAX_DIGITS:
                raise CannotCompute("the number is too long")
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            inner = value_of(operand)
            return -inner if isinstance(sign, ast.USub) else inner
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return power(value_of(left), value_of(right))
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in BINARY:
            first, second = value_of(left), value_of(right)
            if second == 0 and isinstance(kind, ast.Div | ast.Mod):
                raise CannotCompute("it divides by zero")
            return bounded(BINARY[type(kind)](first, second))
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            return power(value_of(argument), Fraction(1, 2))
    raise CannotCompute("it is not arithmetic")


def bounded(value: Fraction) -> Fraction:
    """The value, if it is quick to go on with. Raises CannotCompute."""
    if bits(value) > MAX_BITS:
        raise CannotCompute("the result is too large")
    return value


def bits(value: Fraction) -> int:
    """The length of the numerator or of the denominator, whichever is longer."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent with bounded size."""
    if abs(exponent) > MAX_EXPONENT or (base == 0 and exponent < 0):
        raise CannotCompute("the exponent is out of range")
    if exponent.denominator == 1:
        if bits(base) * abs(exponent) > MAX_BITS:
            raise CannotCompute("the result is too large")
        return base ** int(exponent)
    if base < 0:
        raise CannotCompute("the root of a negative number is not real")
    root = Fraction(math.isqrt(base.numerator), 1) / Fraction(math.isqrt(base.denominator), 1)
    if exponent == Fraction(1, 2) and root * root == base:
        return root
    try:
        result = real(base) ** real(exponent)
    except OverflowError as error:
        raise CannotCompute("the result is too large") from error
    if base and result < sys.float_info.min:
        raise CannotCompute("the result is too small")
    return Fraction(str(result))


def real(value: Fraction) -> float:
    """The value to sixteen digits. Raises CannotCompute beyond what a float holds."""
    try:
        result = float(value)
    except OverflowError as error:
        raise CannotCompute("the result is too large") from error
    if value and abs(result) < sys.float_info.min:
        raise CannotCompute("the result is too small")
    return result


def readable(value: Fraction) -> str:
    """Whole numbers as they are, others with at most ten significant digits."""
    if value.denominator == 1:
        text = str(value.numerator)
        if len(text) > MAX_DIGITS:
            raise CannotCompute("the result is too large")
        return text
    return f"{real(value):.10g}"
