"""One reader for each kind of file; each turns bytes or text into a Draft and knows nothing of the others.

Reading order:
draft      what every reader returns; text built block by block, with headings and pages marked
tables     the rows of a table as lines, each cell with the name of its column
decode     bytes -> text: UTF-8, UTF-16, GB18030, Big5 and others, or the reason why not
dates      a date as people and programs write it -> UTC
plain      plain text: wrapped lines joined, rows of tables named
markdown   Markdown: rendered to the text that a reader sees
html       HTML: the main text of a page, without its menus
pdf        PDF: text by page
pdf_tables tables of a PDF page by where their cells stand
office     what Word and Excel files are looked at for before they are opened
docx       Word documents
xlsx       Excel workbooks
delimited  CSV and TSV
records    JSON Lines of documents, and one document as JSON
"""
