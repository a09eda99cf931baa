"""People: HTTP, page, command line, conversations.

Reading order:
types          Citation and Answer
config         one settings object, with the origin of each value
pipeline       the answer flow: plan, search, propose, judge, select, cite
conversations  turns and answers in SQLite
feedback       what people say about answers, and its export
schemas        what the HTTP interface takes and gives
api            the routes
app            the one place where everything is constructed
doctor         is this installation whole, and what to do if not
cli            the command `passerine`
web/           the page
"""
