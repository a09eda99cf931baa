"""People: HTTP, page, command line, conversations.

The flow:
types                 Citation and Answer
events                what the flow tells while it works
pipeline              the answer flow: plan, search, propose, judge, select, cite
citations             numbers for quotes, the one place that writes a marker
phrases               the few sentences that Passerine says by itself

What is kept:
config                one settings object, with the origin of each value
database              the tables, in SQLite by default
conversations         turns and answers
sharing               links to conversations
memories              what people said of themselves
feedback              what people say about answers, and its export
rulebook              the rules as the operator set them
approved              approved answers, edited while the service runs
keys                  who may use the service, how far and how often
metrics               what Passerine counts about itself
tracing               traces by OpenTelemetry
logs                  the log, for people or programs
limits                requests a minute of a key
annotation            drafts to compare, and ratings
library               what is indexed, found, added and removed
uploads               a file that came over HTTP as the documents in it
suggestions           what may be asked next
snippets              the words of the query in a passage
transcript            a conversation as Markdown
sources               where documents come from, under names
jobs                  refreshes in a table: queued, running, done, failed, died
refreshes             a refresh here and now, or by the worker of the service
watching              which sources changed, told as it happens

HTTP:
inputs                what the interface takes
schemas               what it gives to those who ask
operator_schemas      and to those who run it
errors                one shape for whatever goes wrong
guard                 what every request passes first
access                the scope of every route, and who asks
stream                the flow as server-sent events
routes_chat           /v1/chat
routes_completions    /v1/chat/completions and /v1/models
routes_documents      /v1/search, /v1/similar, /v1/documents and /v1/files
routes_sources        /v1/sources and /v1/jobs
routes_conversations  /v1/conversations
routes_sharing        a conversation's link, and /shared
shared_page           what is behind it
routes_memory         /v1/memory
routes_feedback       /v1/feedback
routes_rules          /v1/rules
routes_approved       /v1/approved-answers
routes_keys           /v1/keys and /v1/session
routes_status         /healthz, /readyz, /v1/status
reference             the page at /docs
api                   the ASGI application
web                   the page: chat, search, documents, annotation, administration

Running:
application           what a running Passerine consists of
startup               loading beside a server that already answers
app                   the one place where everything is constructed
asking                one question: kept, answered, kept again
serving               `passerine serve`
mcp_server            `passerine mcp`
training              `passerine train`
probing               `passerine probe`: messages against the rules
redteam               hostile messages of the data folder, by rule
registry              promoted models, and the way back
best_of_n             the chat model learns from the best of its own replies
reading_tasks         questions beside passages, as tasks for the chat model
self_play             dialogues that grow by the chat model's own turns, with a search between
tuning                the chat model learns from the judges
span_tuning           the reader's choice of spans learns from them
doctor                is this installation whole, and what to do if not
console               what the command line shows
key_commands          `passerine key`
memory_commands       `passerine memory`
source_commands       `passerine source` and `passerine refresh`
index_commands        `passerine index`: inspect, verify, repair, export
commands              the commands around the daily ones
cli                   the command `passerine`
"""
