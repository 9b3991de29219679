// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hands the word "tryboot" of a restart's parameter, as in reboot(2) with "0 tryboot", over to a Raspberry Pi's firmware, which
 * then starts the other partition of autoboot.txt, once. Raspberry Pi's own kernel does this in its firmware driver; Linux'
 * driver of the same device does not.
 */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/of.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <soc/bcm2835/raspberrypi-firmware.h>

/* Raspberry Pi's mailbox property interface: flags for the next restart, of which the lowest is tryboot. */
#define SET_REBOOT_FLAGS 0x00038064
#define TRYBOOT 1

static struct rpi_firmware *firmware;

/* A word of its own, as the firmware driver of Raspberry Pi's kernel takes it. */
static bool names_tryboot(const char *parameter)
{
	const char *word = strstr(parameter, " tryboot");

	return word && (word[8] == '\0' || word[8] == ' ' || word[8] == '\n');
}

static int on_reboot(struct notifier_block *block, unsigned long action, void *parameter)
{
	u32 flags = TRYBOOT;
	int error;

	if (action != SYS_RESTART || !parameter || !names_tryboot(parameter))
		return NOTIFY_DONE;
	error = rpi_firmware_property(firmware, SET_REBOOT_FLAGS, &flags, sizeof(flags));
	/* Without the flag the firmware starts the kept slot, and the supervisor tells that it did. */
	if (error)
		pr_err("appliance_tryboot: the firmware does not take the flag: %d\n", error);
	else
		pr_info("appliance_tryboot: the firmware tries the other slot\n");
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = on_reboot };

static int __init tryboot_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "raspberrypi,bcm2835-firmware");
	int error;

	if (!node)
		return -ENODEV;
	firmware = rpi_firmware_get(node);
	of_node_put(node);
	if (!firmware)
		return -ENODEV;
	error = register_reboot_notifier(&notifier);
	if (error)
		rpi_firmware_put(firmware);
	return error;
}

static void __exit tryboot_exit(void)
{
	unregister_reboot_notifier(&notifier);
	rpi_firmware_put(firmware);
}

module_init(tryboot_init);
module_exit(tryboot_exit);

MODULE_DESCRIPTION("Raspberry Pi tryboot by a restart's parameter");
MODULE_LICENSE("GPL");
