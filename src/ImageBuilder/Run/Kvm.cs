namespace Appliance.ImageBuilder.Run;

/// <summary>Tells whether the processor can run the machine itself.</summary>
internal static class Kvm
{
    /// <summary>
    /// The device must open and the processor must say that it has the extension: some clouds offer a /dev/kvm that
    /// cannot run firmware.
    /// </summary>
    public static bool IsUsable()
    {
        try
        {
            using var device = new FileStream("/dev/kvm", FileMode.Open, FileAccess.ReadWrite);
            return File.ReadLines("/proc/cpuinfo").Any(line => line.StartsWith("flags", StringComparison.Ordinal) && line.Split(' ').Any(flag => flag is "vmx" or "svm"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
