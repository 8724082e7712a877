"""Checkpoints: safetensors weights with a JSON card, the champion pointer, the state of an unfinished training.

No pickle, ever. Reads and writes files in folders it is given; knows no slide, no training loop. May call
``models.nets`` and ``models.errors``.
"""

from models.checkpoints.card import Card, DesignName, check_class_order
from models.checkpoints.cards import read_card
from models.checkpoints.champion import (
    ChampionPointer,
    load_champion,
    promote_champion,
    read_champion,
    read_pointer,
)
from models.checkpoints.files import Checkpoint, load_checkpoint, save_checkpoint, with_role
from models.checkpoints.lineage import SlideLineage
from models.checkpoints.net_card import NetCard, NetRole
from models.checkpoints.pruning import prune_checkpoints
from models.checkpoints.resume import (
    ResumeState,
    clear_resume_state,
    load_optimizer_tensors,
    load_resume_state,
    optimizer_tensors,
    save_resume_state,
)
from models.checkpoints.stain_reference import StainReference
from models.checkpoints.statistics import PixelStatistics
from models.checkpoints.transfer import Transfer, load_transfer, plan_transfer, take_over, with_class_order

__all__ = [
    "Card",
    "ChampionPointer",
    "Checkpoint",
    "DesignName",
    "NetCard",
    "NetRole",
    "PixelStatistics",
    "ResumeState",
    "SlideLineage",
    "StainReference",
    "Transfer",
    "check_class_order",
    "clear_resume_state",
    "load_champion",
    "load_checkpoint",
    "load_optimizer_tensors",
    "load_resume_state",
    "load_transfer",
    "optimizer_tensors",
    "plan_transfer",
    "promote_champion",
    "prune_checkpoints",
    "read_card",
    "read_champion",
    "read_pointer",
    "save_checkpoint",
    "save_resume_state",
    "take_over",
    "with_class_order",
    "with_role",
]
