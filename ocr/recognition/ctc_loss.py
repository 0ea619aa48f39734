"""Connectionist temporal classification that looks at the characters of each text alone (Graves et al., ICML 2006).

Over thousands of characters the library's own loss fills one array after the other with all classes of all columns.  The sums over the
alignments concern a text's own characters and the blank, a few dozen classes; all others enter through the softmax alone, whose share of
the gradient needs no alignment.

    S  characters of the longest text of a batch
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

BLANK = 0


def ctc_loss(
    logits_BTK: torch.Tensor, targets_BS: torch.Tensor, columns_B: torch.Tensor, lengths_B: torch.Tensor
) -> torch.Tensor:
    """Each sample's loss divided by its length, averaged over the batch: a scalar of float32, or float64 of float64 logits.

    Equal to ``torch.nn.functional.ctc_loss`` of the log-softmax, with its ``zero_infinity``: a text without any alignment counts 0.

    Args:
        logits_BTK: scores before the softmax; class 0 is the blank.
        targets_BS: classes of the texts, 0 behind the end of each.
        columns_B: columns of each sample, at most T; those behind them play no part.
        lengths_B: characters of each text.
    """
    loss: torch.Tensor = _CTCLoss.apply(logits_BTK, targets_BS, columns_B, lengths_B)
    return loss


class _CTCLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits_BTK: torch.Tensor,
        targets_BS: torch.Tensor,
        columns_B: torch.Tensor,
        lengths_B: torch.Tensor,
    ) -> torch.Tensor:
        device, (samples, steps, _) = logits_BTK.device, logits_BTK.shape
        wide = torch.float64 if logits_BTK.dtype == torch.float64 else torch.float32
        log_probabilities_BTK = logits_BTK.log_softmax(2, dtype=wide)
        classes_BS = F.pad(targets_BS.to(device), (1, 0), value=BLANK)
        # within a text a character's name is the place where it stands first, because equal neighbours need a blank between them
        names_BS = (classes_BS[:, :, None] == classes_BS[:, None, :]).int().argmax(2)
        places_BTS = classes_BS[:, None, :].expand(-1, steps, -1)
        own_BTS = log_probabilities_BTK.gather(2, places_BTS)
        with torch.enable_grad():
            own_TBS = own_BTS.transpose(0, 1).contiguous().requires_grad_()
            losses_B = F.ctc_loss(
                own_TBS, names_BS[:, 1:], columns_B.cpu(), lengths_B.cpu(), BLANK, reduction="none", zero_infinity=True
            )
            shares_B = 1 / (samples * lengths_B.to(device).clamp(min=1))
            loss = (losses_B * shares_B).sum()
        (gradient_TBS,) = torch.autograd.grad(loss, own_TBS)
        # the library's gradient is that of the logits: the probabilities, less those of the alignments
        inside_BT = torch.arange(steps, device=device) < columns_B.to(device)[:, None]
        shares_BT1 = (inside_BT * (shares_B * (losses_B.detach() != 0))[:, None])[:, :, None].to(wide)
        aligned_BTS = gradient_TBS.transpose(0, 1) - own_BTS.exp() * shares_BT1
        ctx.save_for_backward(log_probabilities_BTK, places_BTS, aligned_BTS, shares_BT1)
        ctx.dtype = logits_BTK.dtype
        return loss.detach()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        log_probabilities_BTK, places_BTS, aligned_BTS, shares_BT1 = ctx.saved_tensors
        gradient_BTK = log_probabilities_BTK.exp().mul_(shares_BT1 * gradient)
        gradient_BTK.scatter_add_(2, places_BTS, aligned_BTS * gradient)
        return gradient_BTK.to(ctx.dtype), None, None, None
