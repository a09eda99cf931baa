"""Measures everything, trains nothing.

Reading order:
datasets   the collections in the data folder, read and checked
metrics    recall, nDCG, token F1, bootstrap intervals
retrieval  fused search against each of its parts
answers    open retrieval answering: supported-and-correct, abstention, latency
judges     the heads against their baselines
calibrate  thresholds from development data, with their curves
report     one table, one JSON file, one picture
"""
