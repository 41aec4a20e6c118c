"""Caption lines encoded once and looked up: in step 2 and in evaluation the text side does not change."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tgfr_search.model.projection import SHARED_DIM
from tgfr_search.model.tgfr import TGFR, LineFeatures

BATCH = 128


class LineCache:
    """Words and caption vectors of some lines, in memory.

    Args:
        model: In eval mode.
        lines: What to encode; equal lines once.
        dtype: Of the stored words; float16 halves the memory of a whole training set.
    """

    def __init__(self, model: TGFR, lines: list[str], dtype: torch.dtype = torch.float32) -> None:
        distinct = sorted(set(lines), key=lambda line: (len(line), line))
        self.row = {line: at for at, line in enumerate(distinct)}
        self.device = model.device
        words, captions, lengths, cut = [], [], [], []
        with torch.inference_mode():
            for start in range(0, len(distinct), BATCH):
                part = distinct[start : start + BATCH]
                caption, word, mask, truncated = model.read_lines(part)
                words.append(word[mask].to("cpu", dtype))
                lengths.append(mask.sum(dim=1).cpu())
                captions.append(caption.cpu())
                # Which lines were cut matters only where some were: then each is asked for alone.
                cut += [model.tokenize([line]).truncated for line in part] if truncated else [0] * len(part)
        self.words = torch.cat(words) if words else torch.empty(0, SHARED_DIM, dtype=dtype)
        self.captions = torch.cat(captions) if captions else torch.empty(0, SHARED_DIM)
        self.cut = cut
        ends = torch.cat(lengths).cumsum(0) if lengths else torch.empty(0, dtype=torch.long)
        self.starts, self.ends = torch.cat([ends.new_zeros(1), ends[:-1]]), ends

    def words_of(self, lines: list[str]) -> tuple[Tensor, Tensor]:
        """W of some of the lines without padding, [M, 256], and the line that each word is of, int64 [M]."""
        rows = torch.tensor([self.row[line] for line in lines])
        counts = self.ends[rows] - self.starts[rows]
        line = torch.arange(len(rows)).repeat_interleave(counts)
        within = torch.arange(len(line)) - (counts.cumsum(0) - counts)[line]
        return self.words[self.starts[rows][line] + within].float().to(self.device), line.to(self.device)

    def batch(self, lines: list[str]) -> LineFeatures:
        """Features of some of the lines, padded to the longest of them."""
        rows = [self.row[line] for line in lines]
        parts = [self.words[self.starts[r] : self.ends[r]].float() for r in rows]
        padded = nn.utils.rnn.pad_sequence(parts, batch_first=True)
        mask = torch.arange(padded.shape[1]) < torch.tensor([len(part) for part in parts])[:, None]
        caption, words, mask = (part.to(self.device) for part in (self.captions[rows], padded, mask))
        return LineFeatures(caption, words, mask, sum(self.cut[r] for r in rows))
