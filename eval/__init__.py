"""Measures everything, trains nothing.

Reading order:
datasets     the collections in the data folder, read and checked
metrics      rankings and short answers, with intervals that resample whole groups
report       tables, one JSON file, pictures
vectors      vectors of test collections, kept on disk
workbench    the product's own index, policy and judges over the data folder
retrieval    fused search against each of its parts
rerank       the first hits read again, against the order they came in
followups    follow-ups against the questions that a person would have asked instead
fusion       the fusion's weights, chosen on training questions
selection    what each judge and each further draft adds
outcomes     what became of a question
left_out     questions whose passage the index lacks
planted      instructions planted in documents
answers      the answer flow measured whole
office       documents of invented organisations, asked as their people would
chat         the tuned chat model by itself
rlhf         the chat model before and after tuning
spans        the reader before and after its choice of spans was tuned
training     samples a second of the tuning, beside trl
judges       the judges against their baselines
preferences  the preference judge beside baselines that need no training
calibrate    thresholds from development data, with their curves
gate         is a new model good enough to replace the live one
loop         feedback of simulated people, training, gate and promotion, once through
clock        a refresh beside the bare encoder, answers of a server, its start and memory
generation   candidates of the chat model by the clock, beside transformers' own
load         many streams at once, none lost
speed        the encoder beside plain float32
passages     a million real passages
index_speed  the index beside others over them
dense_speed  the inverted lists of vectors beside FAISS's own, over a million of them
device_speed a search whole on one torch device beside the index's own engines
faults       what an index survives
spelling     slips in queries mended, right queries left alone
"""
