"""Documents and retrieval; knows nothing of conversations.

Reading order, the way in:
types      the nouns that cross layers, the errors, the Encoder and Retriever contracts
files      what a path holds: files under keys that stay the same
extract    a file's bytes -> Document and its marks (headings, pages)
formats    one reader a format: Markdown, text, HTML, PDF, DOCX, JSON Lines
lines      hard-wrapped lines joined again
language   which language a text is in
chinese    Chinese in either script, read as one
sentences  where sentences end, in English and Chinese
split      Document -> Passages with exact spans
sources    the contract of a source, and the source that is a folder or file
fetch      an address on the web -> its bytes, politely and safely
web        sources on the web: pages, sitemaps, feeds
query      the source that is a query of a database
bucket     the source that is an S3-compatible bucket
refresh    source -> index: incremental, resumable
writer     documents gathered, encoded and committed every couple of seconds

What is kept:
store      the persisted index: passages, postings and vectors in one commit
catalogue  its SQLite side: texts, files, live segments
rows       between SQLite's rows and the nouns
segment    one immutable file of named arrays with checksums
snapshot   what a reader sees
merge      segments worth joining, joined beside commits
lock       one writer at a time
rebuild    vectors and postings made anew from the stored texts
inventory  what is in an index, and its documents as JSON Lines

On several machines (the extra `cluster`):
collection  the contract that an index folder and a table share
table      the same verbs over a Lance dataset on a shared folder or bucket
table_rows between its rows and the nouns
table_view one version of it as a search sees it: shards asked, answers merged
table_upkeep   what it holds, whether it is whole, mending it, making it anew
shard      a part of it made searchable
actors     shards as actors of a Ray cluster
mapping    a refresh whose reading and encoding is mapped over the cluster

The way out:
vocabulary tokens as numbers
tokenize   the one analyser of index and query
packing    posting lists as bytes
counting   numbered passages counted into posting lists
postings   which passages hold which term
lexical    BM25 over postings
lexical_kernels   the compiled side of it
compiled   functions compiled by numba, where there is much to do
lists      the vectors of a large segment by centroid, in 8 bits
dense      vectors and FAISS (the only importer of faiss)
fusion     two ranked lists into one
device     both sides and their fusion on one torch device
rerank     hits read again and put in a better order
spelling   what a misspelt query may have meant
search     queries -> Hits: filters, fusion, near-duplicates, cap per document
"""
