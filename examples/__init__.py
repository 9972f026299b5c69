"""Programs that tell the story of LSTMs, one file each; run one as ``python -m examples.NAME``."""
