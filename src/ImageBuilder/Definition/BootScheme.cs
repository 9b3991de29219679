namespace Appliance.ImageBuilder.Definition;

/// <summary>How a machine chooses the slot it boots.</summary>
public enum BootScheme
{
    /// <summary>UEFI, systemd-boot and unified kernel images with boot counting.</summary>
    SystemdBoot,

    /// <summary>Raspberry Pi firmware with <c>autoboot.txt</c> and <c>tryboot_a_b</c>.</summary>
    Tryboot,
}
