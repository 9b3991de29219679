namespace Appliance.SystemTests;

/// <summary>The default image, booted twice: what must survive a reboot is noted in between.</summary>
public sealed class DefaultImageFixture : IAsyncLifetime
{
    internal RunningMachine Machine { get; private set; } = null!;
    internal string FirstMachineId { get; private set; } = "";
    internal string FirstCertificate { get; private set; } = "";
    internal string FirstTrial { get; private set; } = "";

    /// <summary>What the machine's console said until the first boot was good.</summary>
    internal string FirstSerial { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Machine = await RunningMachine.StartAsync("default-image", Path.Combine(Product.Image, "disk.img"));
        await Machine.WaitForGoodBootAsync();
        FirstMachineId = await Machine.RunAsync("cat /etc/machine-id");
        FirstCertificate = Machine.Certificate;
        FirstTrial = await Machine.RunAsync("cat /sys/firmware/efi/efivars/LoaderBootCountPath-* | tail -c +5 | tr -d '\\0'");
        FirstSerial = Machine.Serial;
        await Machine.RunAsync("echo kept-name > /etc/hostname; sync");
        await Machine.RebootAsync();
    }

    public ValueTask DisposeAsync() => Machine.DisposeAsync();
}
