/* SPDX-License-Identifier: BSD-2-Clause */
/* Manifests as text, for people; docs/manifest.md has the format. Failures exit. */
#ifndef HVREG_MANIFEST_TEXT_H
#define HVREG_MANIFEST_TEXT_H

#include <stdio.h>
#include "manifest.h"

void manifest_write(const struct manifest *manifest, FILE *stream);

/* From the file of this name; "-" is standard input. */
void manifest_read(struct manifest *manifest, const char *name);

/* "program", "code", "file", "open" or "sealed". */
const char *manifest_kind(uint32_t kind);

#endif
