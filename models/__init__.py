"""Language in and out; knows no index and no reward.

Reading order:
types       Turn, Conversation, Plan, Quote, Candidate, and the Policy and Generator contracts
weights     the model store: where base models come from, checksums, conversion
trunk       the multilingual trunk's forward pass without padding, for encoder and heads
encoder     text -> unit vectors
plan        search or not, and the two queries
reader      question + passage -> spans and "not here"
quotes      verbatim spans of a document, whole sentences, checked
tools       calculator and date
extractive  the policy that only quotes
prompts     every prompt, in one place
generator   causal language models, local and remote
generative  the policy that writes
mixed       candidates of both
"""
