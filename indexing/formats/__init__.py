"""One reader for each kind of file; each turns bytes or text into a Draft and knows nothing of the others.

Reading order:
draft     what every reader returns; text built block by block, with headings and pages marked
decode    bytes -> text: UTF-8, UTF-16, GB18030, Big5 and others, or the reason why not
dates     a date as people and programs write it -> UTC
plain     plain text: wrapped lines joined
markdown  Markdown: rendered to the text that a reader sees
html      HTML: the main text of a page, without its menus
pdf       PDF: text by page
docx      Word documents
records   JSON Lines of documents, and one document as JSON
"""
