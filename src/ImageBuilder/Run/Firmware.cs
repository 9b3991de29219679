using Appliance.Core;

namespace Appliance.ImageBuilder.Run;

/// <summary>The UEFI firmware QEMU starts with.</summary>
internal sealed record Firmware(string Code, string Variables)
{
    private static readonly Firmware[] Known =
    [
        new("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        new("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        new("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ];

    /// <summary>Finds it.</summary>
    /// <exception cref="UserError">It is not installed.</exception>
    public static Firmware Find() =>
        Known.FirstOrDefault(firmware => File.Exists(firmware.Code) && File.Exists(firmware.Variables))
        ?? throw new UserError("The UEFI firmware for virtual machines is not installed.", "apt-get install ovmf");
}
