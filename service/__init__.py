"""People: HTTP, page, command line, conversations.

Reading order:
types                  Citation and Answer
config                 one settings object, with the origin of each value
pipeline               the answer flow: plan, search, propose, judge, select, cite
events                 what the flow tells while it works
citations, phrases     numbers and markers for quotes; the few sentences said by itself
errors                 what a person sees when something goes wrong, in one shape
database               the tables
conversations          turns and answers in SQLite
feedback               what people say about answers, and its export
asking                 one question: kept, answered, kept again
library                the documents: found, added, refreshed, removed
startup, application   what is loaded beside the open port, and what a running Passerine consists of
app                    the one place where everything is constructed
inputs, schemas        what the HTTP interface takes and gives
stream                 the flow as server-sent events
guard                  what every request passes first
access, routes_*, api  the routes, their errors, the page
reference              /docs without a script
doctor                 is this installation whole, and what to do if not
serving, training      `passerine serve`, `passerine train`
console, commands, cli the command `passerine`
web/                   the page
"""
