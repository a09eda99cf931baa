"""Judges of candidates.

Reading order:
types            Judgement, Rule, and the contracts of the judges
rules            the rules as data (bundled/rules.yaml), and those a program decides
readings         the token states that judges read, each computed once by the frozen trunk
interaction      the small network that every judge is made of
preference       the preference reward model
rule_judge       the rule reward model
names            names of a question, and those of a series
support          does the quote answer the question and support the statement
select           the score and the verdict
reasons          the reason in words, in both languages
elo              ratings from pairwise comparisons
feedback         what people said, read from the exported file

Training:
corpus           token states of all training texts, kept on disk
network_fit      fitting of a judge's network
training         what the trainers share
preference_data  what the preference judge learns from
train_preference its trainer
train_reward     the chat model as a judge of preference
rule_data        what the rule judge learns from
train_rules      its trainer
unseen_rules     how it does on a rule that it never learnt
support_data     what the support judge learns from
drafted          drafts of the extractive policy, right and wrong
altered          statements changed so that their quote no longer bears them out
train_support    its trainer
train_feedback   how it goes on from what people said
train_second     the judges for evaluation only
measures         pair accuracy and ROC area with intervals
"""
