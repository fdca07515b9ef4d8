/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* /dev/carrel */
#ifndef CARREL_MODULE_DEVICE_H
#define CARREL_MODULE_DEVICE_H

/* Module init: makes the node, mode 0660, group from the parameter `gid`. An errno. */
int device_init(void);
/* Module exit: no descriptor and no mapping is left. */
void device_exit(void);

#endif
