using Appliance.Core;

namespace Appliance.ImageBuilder.Run;

/// <summary>The UEFI firmware QEMU starts with.</summary>
internal sealed record Firmware(string Code, string Variables)
{
    private static readonly Firmware[] ForAmd64 =
    [
        new("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        new("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        new("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ];

    private static readonly Firmware[] ForArm64 =
    [
        new("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        new("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        new("/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"),
    ];

    /// <summary>Finds it.</summary>
    /// <param name="architecture">Debian architecture of the machine.</param>
    /// <exception cref="UserError">It is not installed.</exception>
    public static Firmware Find(string architecture) =>
        (architecture == "arm64" ? ForArm64 : ForAmd64).FirstOrDefault(firmware => File.Exists(firmware.Code) && File.Exists(firmware.Variables))
        ?? throw new UserError($"The UEFI firmware for {architecture} virtual machines is not installed.", $"apt-get install {(architecture == "arm64" ? "qemu-efi-aarch64" : "ovmf")}");
}
