"""Documents and retrieval; knows nothing of conversations.

Reading order:
types     the nouns that cross layers, the errors, the Encoder and Retriever contracts
sources   what a path holds: the files of a folder, their identity
extract   a file's bytes -> Document and its marks (headings, pages)
split     Document -> Passages; sentences in English and Chinese
tokenize  the one analyser of index and query
lexical   BM25 over postings
dense     vectors and FAISS (the only importer of faiss)
store     the persisted index: passages, postings and vectors in one commit
refresh   Source -> store, incremental and resumable
search    queries -> Hits: fusion, filters, near-duplicates, cap per document
"""
