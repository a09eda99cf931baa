"""Judges of candidates.

Reading order:
types       Judgement, Rule, and the Judge contract
rules       the rules as data (bundled/rules.yaml), and those a program decides
heads       small trained heads on vectors of the frozen trunk
preference  the preference reward model
rule_judge  the rule reward model
support     does the quote support the statement
select      the score, the verdict, and the reason in words
feedback    what people said, and its exported form
"""
