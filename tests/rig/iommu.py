# SPDX-License-Identifier: BSD-2-Clause
"""The machine's IOMMU: what --iommu says, and QEMU's device for it."""

import argparse

# Of each kind: QEMU's device, and the properties that it has unless the caller names others.
# QEMU's AMD-Vi lets every interrupt message pass without intremap; its VT-d offers remapping with.
KINDS = {
    "none": (None, {}),
    "vtd": ("intel-iommu", {"intremap": "off"}),
    "amdvi": ("amd-iommu", {"intremap": "on"}),
}


def parse(text):
    """KIND[,PROPERTY=VALUE]... as a kind and a dictionary."""
    kind, *words = text.split(",")
    properties = dict(word.split("=", 1) for word in words if "=" in word)
    if kind not in KINDS or len(properties) != len(words) or (kind == "none" and words):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not none, nor vtd or amdvi[,PROPERTY=VALUE]...")
    return kind, properties


def arguments(run):
    """For QEMU, before every other device: an IOMMU serves only those that come after it."""
    kind, properties = run.iommu
    device, defaults = KINDS[kind]
    if not device:
        return []
    words = [f"{name}={value}" for name, value in {**defaults, **properties}.items()]
    return ["-device", ",".join([device, *words])]
