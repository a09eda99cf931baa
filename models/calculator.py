"""The calculator: exact arithmetic that a question asks for in English or Chinese; it answers only what it fully
understands."""

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction

from models.types import Candidate
from models.words import language_of

MAX_EXPONENT = 1000
MAX_DIGITS = 40
"""Beyond these an answer is neither readable nor quick to compute."""

DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
UNITS = {"十": 10, "百": 100, "千": 1000}
CHINESE_NUMBER = re.compile("[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?")

SMALL = (  # noqa: SIM905
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
NUMBER_WORDS = {word: value for value, word in enumerate(SMALL)} | {
    word: (value + 2) * 10 for value, word in enumerate(TENS)
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
NUMBER_RUN = re.compile(
    rf"\b(?:{'|'.join([*NUMBER_WORDS, *SCALES])})(?:[\s-]+(?:and\s+)?(?:{'|'.join([*NUMBER_WORDS, *SCALES])}))*\b"
)

FRAME = re.compile(
    r"^(?:please|hey|so|and|ok(?:ay)?|can you|could you|tell me|do you know|what\s*'?s|what is|what are|how much is|"
    r"how much are|calculate|compute|evaluate|work out|solve|find|the (?:result|answer|value|sum) of|请问|请|帮我|"
    r"你?知道|麻烦|算一下|计算一下|计算|算算|求|那么|那|的?结果是|,|，|:|：|\s)+|"
    r"(?:=|equals?|is what|please|for me|是多少|"
    r"等于多少|等于几|得多少|得几|是几|等于|的结果|多少|呢|吗|[?？。.!！]|\s)+$"
)
REWRITES: tuple[tuple[str, str], ...] = (
    (r"(\d),(?=\d{3}\b)", r"\1"),
    (r"(?:the )?square root of\s*([\d.]+|\([^()]*\))", r"sqrt(\1)"),
    (r"([\d.]+)\s*的平方根", r"sqrt(\1)"),
    (r"√\s*([\d.]+)", r"sqrt(\1)"),
    (r"根号\s*([\d.]+)", r"sqrt(\1)"),
    (r"([\d.]+)\s*的平方", r"(\1)**2"),
    (r"([\d.]+)\s*的立方", r"(\1)**3"),
    (r"([\d.]+)\s*的\s*([\d.]+)\s*次方", r"(\1)**(\2)"),
    (r"百分之\s*([\d.]+)", r"\1%"),
    (r"([\d.]+)\s*(?:%|percent|per cent)\s*of\s*([\d.]+)", r"(\1/100*\2)"),
    (r"([\d.]+)\s*的\s*([\d.]+)\s*%", r"(\1*\2/100)"),
    (r"divide\s+([\d.]+)\s+by\s+([\d.]+)", r"\1/\2"),
    (r"multiply\s+([\d.]+)\s+(?:by|and|with)\s+([\d.]+)", r"\1*\2"),
    (r"add\s+([\d.]+)\s+(?:and|to)\s+([\d.]+)", r"\1+\2"),
    (r"subtract\s+([\d.]+)\s+from\s+([\d.]+)", r"\2-\1"),
    (r"half of\s+([\d.]+)", r"\1/2"),
    (r"(?:raised )?to the power of|次方于", "**"),
    (r"([\d.)]+)\s*squared", r"\1**2"),
    (r"([\d.)]+)\s*cubed", r"\1**3"),
    (r"multiplied by|times|乘以|乘|×|·|✕", "*"),
    (r"divided by|over|除以|÷", "/"),
    (r"plus|加上|加|＋", "+"),
    (r"minus|减去|减|－|−", "-"),
    (r"modulo|mod|取余", "%"),
    (r"\^", "**"),
    (r"（", "("),
    (r"）", ")"),
)
DATE_LIKE = re.compile(r"\s*\d+\s*[-/.]\s*\d+\s*[-/.]\s*\d+\s*")

BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


class CannotCompute(ValueError):
    """The expression is understood and has no readable value (division by zero, too large)."""


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
    text = question.strip().lower().replace("’", "'")
    text = unframed(text)
    text = NUMBER_RUN.sub(lambda match: str(english_number(match.group())), text)
    text = CHINESE_NUMBER.sub(lambda match: chinese_number(match.group()), text.replace("百分之", "\0"))
    text = text.replace("\0", "百分之")
    text = unframed(text)
    if DATE_LIKE.fullmatch(text):
        return None
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"([\d.]+)%(?!\s*[\d(])", r"(\1/100)", text).replace(" ", "")
    if not re.fullmatch(r"(?:sqrt|[\d.+\-*/%()])+", text) or not re.search(r"\d.*[+\-*/%].*\d|sqrt|\d/100", text):
        return None
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return None
    return text


def unframed(text: str) -> str:
    """The text without the words around a sum: "what is", "等于多少"."""
    previous = ""
    while previous != text:
        previous, text = text, FRAME.sub("", text)
    return text


def english_number(words: str) -> int:
    """ "two hundred and five" -> 205."""
    total = current = 0
    for word in re.split(r"[\s-]+", words):
        if word in NUMBER_WORDS:
            current += NUMBER_WORDS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in SCALES:
            total, current = total + max(current, 1) * SCALES[word], 0
    return total + current


def chinese_number(written: str) -> str:
    """ "三百零五" -> "305"; digits in a row, as in a year, are read one by one."""
    whole, _, decimals = written.partition("点")
    tail = "." + "".join(str(DIGITS[sign]) for sign in decimals) if decimals else ""
    if len(whole) > 1 and all(sign in DIGITS for sign in whole):
        return "".join(str(DIGITS[sign]) for sign in whole) + tail
    total = block = digit = 0
    for sign in whole:
        if sign in DIGITS:
            digit = DIGITS[sign]
        elif sign in UNITS:
            block, digit = block + (digit or 1) * UNITS[sign], 0
        else:
            scale = 10_000 if sign == "万" else 100_000_000
            total, block, digit = max(total + block + digit, 1) * scale, 0, 0
    return str(total + block + digit) + tail


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
            return BINARY[type(kind)](first, second)
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            return power(value_of(argument), Fraction(1, 2))
    raise CannotCompute("it is not arithmetic")


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent with bounded size."""
    if abs(exponent) > MAX_EXPONENT or (base == 0 and exponent < 0):
        raise CannotCompute("the exponent is out of range")
    if exponent.denominator == 1:
        digits = max(len(str(base.numerator)), len(str(base.denominator)))
        if digits * abs(exponent) > 100 * MAX_DIGITS:
            raise CannotCompute("the result is too large")
        return base ** int(exponent)
    if base < 0:
        raise CannotCompute("the root of a negative number is not real")
    root = Fraction(math.isqrt(base.numerator), 1) / Fraction(math.isqrt(base.denominator), 1)
    if exponent == Fraction(1, 2) and root * root == base:
        return root
    try:
        return Fraction(str(float(base) ** float(exponent)))
    except (OverflowError, ValueError) as error:
        raise CannotCompute("the result is too large") from error


def readable(value: Fraction) -> str:
    """Whole numbers as they are, others with at most ten significant digits."""
    if value.denominator == 1:
        text = str(value.numerator)
        if len(text) > MAX_DIGITS:
            raise CannotCompute("the result is too large")
        return text
    return f"{float(value):.10g}"
