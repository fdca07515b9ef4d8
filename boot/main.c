/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot order, from the loader's hand-over to Linux's first instruction, readable
 * as one list (boot_main, boot_machine). The only place that knows which back
 * ends and which drivers exist.
 */
#include <string.h>

#include <base/framebuffer.h>
#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <boot/devices.h>
#include <boot/launch.h>
#include <boot/linux.h>
#include <boot/multiboot.h>
#include <boot/options.h>
#include <boot/place.h>
#include <core/apic.h>
#include <core/cpu.h>
#include <core/exit.h>
#include <core/platform.h>
#include <core/policy.h>
#include <core/process.h>
#include <core/trampoline.h>
#include <drivers/acpi/acpi.h>
#include <drivers/iommu/amdvi.h>
#include <drivers/iommu/vtd.h>
#include <drivers/screen/screen.h>
#include <drivers/serial/serial.h>
#include <mm/dma.h>
#include <mm/frame.h>
#include <mm/hostmap.h>
#include <mm/mtrr.h>
#include <mm/pool.h>
#include <virt/svm/svm.h>
#include <virt/vmx/vmx.h>

#define FOUR_GIB	0x100000000UL
#define CPUID7_ECX_TME	BIT(13)
#define MSR_TME_ACTIVATE	0x982
/* Frames for objects whose number is small and fixed: see pool_size. */
#define POOL_SPARE	(512 * KIB)

extern char __text_begin[], __image_end[];	/* linker.ld */

/* start.S */
void boot_main(u32 magic, u64 info_pa, u64 binary, u64 image_begin, u64 image_end)
	__attribute__((noreturn));
void boot_move(u64 to, u64 from, u64 words, u64 cr3);
void boot_leave(const struct linux_entry *entry, u64 page, u64 cr3) __attribute__((noreturn));
static_assert(offsetof(struct linux_entry, rip) == 0x00, "start.S");
static_assert(offsetof(struct linux_entry, rsp) == 0x08, "start.S");
static_assert(offsetof(struct linux_entry, rsi) == 0x10, "start.S");
static_assert(offsetof(struct linux_entry, cr3) == 0x18, "start.S");
static_assert(offsetof(struct linux_entry, gdt_base) == 0x20, "start.S");
static_assert(offsetof(struct linux_entry, gdt_limit) == 0x28, "start.S");

static const struct vt_ops *const back_ends[] = { &svm_ops, &vmx_ops };
static const struct dma_ops *const iommus[DMA_KINDS] = {
	[DMA_VTD] = &vtd_ops, [DMA_AMDVI] = &amdvi_ops,
};

static struct boot_info info;
static struct options options;
static struct acpi_info acpi;
static struct linux_image linux_image;
static struct linux_entry linux_entry;
static struct placement place;
static struct launch_range loaded;	/* this program, where the loader put it */
static struct e820_map e820;
static struct ram_range ram[E820_MAX + DMA_RANGES_MAX];

static void __attribute__((noreturn)) give_up(const char *what)
{
	log_line("cannot start: %s", what);
	log_line("halted. Choose another entry of the boot menu.");
	platform_wipe();	/* a warm reset would leave it to whoever starts then */
	wbinvd();
	for (;;)
		asm volatile("cli; hlt");
}

static void must(const char *problem)
{
	if (problem)
		give_up(problem);
}

static void warn_option(const char *word, size_t length)
{
	log_line("option '%.*s' is not known: see docs/architecture.md", (int)length, word);
}

static void consoles(void)
{
	const struct framebuffer *screen = &info.framebuffer;

	options_parse(&options, info.line, warn_option);
	if (options.serial && serial_init(options.serial))
		log_add_console(&serial_console);
	if (!options.screen)
		return;
	/* before the move only the first 4 GiB are mapped */
	if (screen->kind == FRAMEBUFFER_NONE && !info.efi.system_table)
		screen_use(&screen_vga_text);
	else if (screen->base + (u64)screen->pitch * screen->height <= FOUR_GIB)
		screen_use(screen);
	log_add_console(&screen_console);
}

/* NULL, or what the boot CPU lacks; machine.vt is then the nearest back end. */
static const char *choose_back_end(void)
{
	struct cpuid vendor = cpuid(0, 0);
	bool intel = vendor.ebx == 0x756E6547;	/* "Genu" */

	machine.vt = back_ends[intel ? 1 : 0];
	return machine.vt->missing();
}

static u64 physical_limit(void)
{
	unsigned int bits = cpuid(0x80000008, 0).eax & 0xFF;
	u64 tme;

	/* SDM "TME": key numbers take the highest bits, and each names the same memory again */
	if (cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & CPUID7_ECX_TME &&
	    !rdmsr_safe(MSR_TME_ACTIVATE, &tme) && tme & BIT(1))
		bits -= tme >> 32 & 15;
	/* without 1 GiB leaves each GiB costs a frame */
	return 1ULL << min_u64(bits, machine.vt->largest_leaf() == 3 ? 46 : 39);
}

static u64 image_size(void)
{
	return (u64)(__image_end - __text_begin);
}

static void find_hardware(void)
{
	must(acpi_parse(&acpi, info.rsdp, info.rsdp_size, FOUR_GIB));
	if (acpi.ecam_problem)
		log_line("%s", acpi.ecam_problem);
	must(devices_find(&acpi));
}

/* Everything that the pool hands out, page by page, for this machine. */
static u64 pool_size(void)
{
	u64 limit = physical_limit(), ram_gib = ALIGN_UP(machine.ram_top, GIB) / GIB;
	u64 view_pages = (limit >> 39) + 1 + ram_gib + 24;
	u64 map_pages = (ram_gib + 4) + 16;
	u64 devices = devices_pages(&acpi, iommus[acpi.dma.kind], info.map.count, machine.ram_top);
	u64 cpu_bytes = ALIGN_UP(sizeof(struct cpu), PAGE_SIZE) + ALIGN_UP(machine.vt->cpu_size(), PAGE_SIZE);

	if (machine.vt->largest_leaf() < 3)
		view_pages += limit / GIB;
	return (view_pages + map_pages) * PAGE_SIZE + acpi.cpu_count * cpu_bytes +
		ALIGN_UP((machine.ram_top >> CHUNK_SHIFT) * sizeof(struct chunk), PAGE_SIZE) +
		devices * PAGE_SIZE + 3 * VT_BITMAP + POOL_SPARE;
}

/* Copy the running image to its place and go on there. */
static void move_high(u64 binary)
{
	u64 size = ALIGN_UP(image_size(), PAGE_SIZE), cr3;

	machine.hv_base = place.hv_base;
	machine.hv_size = place.hv_size;
	pool_init(place.hv_base + size, place.hv_size - size);
	cr3 = hostmap_build(place.hv_base, max_u64(machine.ram_top, FOUR_GIB));
	boot_move((u64)phys(place.hv_base), (u64)phys(binary), size / 8, cr3);
}

static void make_frames(void)
{
	u64 chunks = ALIGN_UP(machine.ram_top, CHUNK_SIZE) >> CHUNK_SHIFT;
	size_t count = 0;

	if (!place_e820(&e820, &info, &place))
		give_up("the firmware's memory map has too many entries");
	for (u32 i = 0; i < e820.count; i++)
		ram[count++] = (struct ram_range){ e820.range[i].base, e820.range[i].size,
						   e820.range[i].type == E820_RAM };
	/* devices reach these on their own: never private */
	for (u32 i = 0; i < acpi.dma.range_count; i++) {
		const struct dma_range *range = &acpi.dma.range[i];

		ram[count++] = (struct ram_range){ range->base, range->end - range->base, false };
	}
	frame_boot(pool_take(chunks * sizeof(struct chunk)), chunks, ram, count, place.hv_base,
		   place.hv_size);
}

static void make_host_view(void)
{
	const struct vt_ops *vt = machine.vt;

	mtrr_read();
	if (view_make_host(&machine.host_view, vt->nested, vt->largest_leaf(), machine.pool,
			   physical_limit(), place.hv_base, place.hv_size, mtrr_type_at) ||
	    view_limit_page(&machine.host_view, place.trampoline, 0))
		give_up("no memory for the host's nested page tables");
}

static void guard_devices(void)
{
	const struct dma_ops *driver = iommus[acpi.dma.kind];
	const char *problem;

	must(devices_guard_pci(&acpi, &info.map));
	problem = devices_guard_memory(&acpi, driver, &info.map, &place);
	if (!problem) {
		log_line("DMA protected by %s, units: %u", driver->name, acpi.dma.unit_count);
		return;
	}
	dma_unprotected(problem);
	log_line("DMA unprotected: %s", problem);
	if (options.require_dma)
		give_up("require=dma: DMA is not protected (see the line above)");
}

static void make_policy(void)
{
	const struct vt_ops *vt = machine.vt;
	void *msr = pool_take(VT_BITMAP), *io = pool_take(VT_BITMAP), *ones = pool_take(VT_BITMAP);
	const struct platform_ports ports = {
		.pm1_cnt = { acpi.pm1_control[0], acpi.pm1_control[1] },
		.reset_port = acpi.reset_port,
		.reset_value = acpi.reset_value,
	};

	memset(ones, 0xFF, VT_BITMAP);
	machine.msr_bitmap = msr;
	policy_bitmaps(vt, msr, io, &ports);
	machine.cpuid_hv_bit = options.cpuid_hv;
	machine.vt_machine = (struct vt_machine){
		.host_view = &machine.host_view,
		.msr_bitmap_pa = phys_address(msr),
		.io_bitmap_pa = phys_address(io),
		.ones_pa = phys_address(ones),
		.cr4_host_owned = CR4_LA57 | CR4_VMXE | CR4_SMXE,
	};
}

/* The boot CPU becomes number 0, whatever the firmware's order. */
static void make_cpus(void)
{
	u32 own = cpuid(1, 0).ebx >> 24;

	machine.cpus[0] = cpu_make(0, own);
	machine.cpu_count = 1;
	for (u32 i = 0; i < acpi.cpu_count && machine.cpu_count < MAX_CPUS; i++) {
		if (acpi.apic_id[i] == own)
			continue;
		machine.cpus[machine.cpu_count] = cpu_make(machine.cpu_count, acpi.apic_id[i]);
		machine.cpu_count++;
	}
}

static void start_others(void)
{
	trampoline_boot(place.trampoline, read_cr3());
	for (unsigned int i = 1; i < machine.cpu_count; i++) {
		/* Linux would start it by itself, outside the hypervisor */
		if (!apic_start_parked(machine.cpus[i]))
			give_up("a CPU did not start (see the lines above)");
	}
}

static void choose_sipi(void)
{
	bool native = machine.vt->native_sipi() && options.sipi != SIPI_TRAP;

	if (options.sipi == SIPI_NATIVE && !native)
		log_line("sipi=native: this CPU cannot; trapping");
	apic_boot(native ? APIC_NATIVE : APIC_TRAP, options.apic_trap);
}

/* Without the hypervisor, if the command line allows it; else say why not and halt. */
static void __attribute__((noreturn)) leave_bare(const char *missing)
{
	log_line("this CPU lacks %s", missing);
	if (!options.fallback_bare) {
		log_line("option fallback=bare would start Linux unprotected.");
		give_up("the machine cannot run the hypervisor");
	}
	if (!launch_bare())
		give_up("the TPM does not take the end of the launch");
	log_line("fallback=bare: starting Linux without the hypervisor, UNPROTECTED");
	trampoline_boot(place.trampoline, read_cr3());
	must(linux_load(&linux_entry, &info, &place, &linux_image));
	boot_leave(&linux_entry, place.trampoline, trampoline_map());
}

/* In its final place, on its own tables: everything else. */
static void __attribute__((noreturn)) boot_machine(void)
{
	struct cpu *cpu;

	machine.pool = &pool_tables;
	make_frames();
	make_host_view();
	launch_look(&(struct launch_machine){ &info, &acpi, &place, loaded });
	guard_devices();
	make_policy();
	make_cpus();
	cpu = machine.cpus[0];
	must(cpu_init(cpu));
	panic_hook = exit_reset;	/* invariant 9 */
	choose_sipi();
	start_others();
	if (process_boot())
		give_up("no memory for the table of processes");
	launch_end(&options);
	must(linux_load(&linux_entry, &info, &place, &linux_image));
	log_line("%s, %u CPUs, %lu KiB at %lx, %lu KiB of it free; starting Linux", machine.vt->name,
		 machine.cpu_count, machine.hv_size / KIB, machine.hv_base, pool_left() / KIB);
	screen_use(NULL);

	cpu_mask_set(&machine.host_view.entered, cpu->id);
	cpu->state = CPU_RUNNING;
	apic_boot(apic_mode(), options.apic_trap);	/* again: now CPUs are parked */
	machine.vt->host_enter_linux(&cpu->vt, linux_entry.rip, linux_entry.rsi, linux_entry.rsp,
				     linux_entry.cr3, linux_entry.gdt_base, linux_entry.gdt_limit);
	machine.vt->run(&cpu->vt);
}

/* Ranges that firmware keeps for devices must not keep the machine from starting. */
static const char *place_self(u64 image_begin, u64 image_end, u64 size)
{
	const char *problem = place_hypervisor(&place, &info, &acpi.dma, image_begin, image_end, size);

	if (!problem || !acpi.dma.range_count)
		return problem;
	acpi.dma.range_count = 0;
	acpi.dma.broken = "what the firmware reserves for devices leaves no room for the hypervisor";
	return place_hypervisor(&place, &info, &acpi.dma, image_begin, image_end, size);
}

void boot_main(u32 magic, u64 info_pa, u64 binary, u64 image_begin, u64 image_end)
{
	const char *problem = multiboot_parse(&info, magic, info_pa, FOUR_GIB), *missing;
	u64 size;

	consoles();
	log_line("Carrel %s", CARREL_VERSION);
	must(problem);
	must(linux_check(&linux_image, phys(info.module[BOOT_KERNEL].base),
			 info.module[BOOT_KERNEL].end - info.module[BOOT_KERNEL].base));
	if (!launch_begin(&info.map))
		give_up("the firmware's memory map has too many entries");
	missing = choose_back_end();
	machine.ram_top = ALIGN_UP(e820_ram_end(&info.map), CHUNK_SIZE);
	if (!missing)
		find_hardware();
	size = ALIGN_UP(image_size(), PAGE_SIZE) + (missing ? POOL_SPARE : pool_size());
	must(place_self(image_begin, image_end, ALIGN_UP(size, CHUNK_SIZE)));
	must(place_linux(&place, &info, &linux_image));
	loaded = (struct launch_range){ image_begin, image_end };
	move_high(binary);
	if (missing)
		leave_bare(missing);
	boot_machine();
}
