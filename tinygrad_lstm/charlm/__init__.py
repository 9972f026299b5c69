"""A character language model: what it is, and how it is trained, judged, kept and made to write.

>>> import tinygrad_lstm as tg
>>> from tinygrad_lstm import charlm, data
>>> text = "the cat sat on the mat. " * 50
>>> configuration = charlm.Configuration(embedding=8, hidden=16, batch=8, steps=16, updates=60, lr=0.03)
>>> vocabulary, (training, heldout) = data.Vocabulary.of(text), charlm.split(text)
>>> tg.manual_seed(0)
>>> model = charlm.CharLM(len(vocabulary), configuration.embedding, configuration.hidden)
>>> updates = charlm.train(charlm.Training(model, configuration), vocabulary.encode(training))
>>> losses = [update.loss for update in updates]
>>> charlm.bits_per_char(model, vocabulary.encode(training[-1] + heldout)) < charlm.uniform_bits(len(vocabulary))
True
>>> "".join(charlm.generate(model, vocabulary, "the", length=20, top_k=1))[:4]
' cat'
"""

from .checkpoint import *
from .evaluation import *
from .generation import *
from .model import *
from .sampling import *
from .training import *
