using Appliance.Core;
using Appliance.ImageBuilder.BlockMaps;
using Appliance.ImageBuilder.Flash;

namespace ImageBuilder.Tests.Flash;

/// <summary>What a device is told while it is flashed; Debian's mtools are the judge of the file system.</summary>
public sealed class ProvisionTests : IDisposable
{
    private const int MiB = 1 << 20, ConfigStart = 10 * MiB;
    private readonly Temporary _folder = new();
    private readonly string _image;

    public ProvisionTests()
    {
        _image = SomeDisk.Make(_folder["disk.img"]);
        Tool.RunWithInput("start=20480, size=4MiB, name=config\n", "sfdisk", "--quiet", "--append", _image); // in place of what is free
        Tool.Run("mkfs.vfat", "--invariant", "-n", "APPLIANCE", "--offset", $"{ConfigStart / 512}", _image, $"{4 * 1024}");
        _folder.Write("README.txt", "read me");
        Tool.Run("mcopy", "-i", $"{_image}@@{ConfigStart}", _folder["README.txt"], "::");
        BlockMap.Create(_image).Write(_image + ".bmap");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task TheFile_IsOnTheDisk_BesideWhatWasThere_AndOnNoOther()
    {
        const string Told = "hostname: edge-7\nwifi: [{ ssid: workshop, passphrase: a long passphrase }]\n";
        using var disk = new LoopDevice(_folder["disk"], 24 * MiB);
        await FlashTests.FlashAsync(_image, disk.Path, "--yes", "--provision", _folder.Write("edge-7.yaml", Told));

        Assert.Equal(Told, Tool.Run("mtype", "-i", $"{_folder["disk"]}@@{ConfigStart}", "::provision.yaml"));
        Assert.Equal("read me", Tool.Run("mtype", "-i", $"{_folder["disk"]}@@{ConfigStart}", "::README.txt"));
        Assert.Contains("No errors detected", Tool.Run("sfdisk", "--verify", disk.Path), StringComparison.Ordinal);
        Assert.NotEqual(0, Tool.Try("", "mtype", "-i", $"{_image}@@{ConfigStart}", "::provision.yaml").ExitCode);

        await FlashTests.FlashAsync(_image, _folder["copy"], "--provision", _folder["edge-7.yaml"]);
        Assert.Equal(Told, Tool.Run("mtype", "-i", $"{_folder["copy"]}@@{ConfigStart}", "::provision.yaml"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["copy"])); // there is a passphrase in it

        // The next one is of another device.
        await FlashTests.FlashAsync(_image, disk.Path, "--yes");
        Assert.NotEqual(0, Tool.Try("", "mtype", "-i", $"{_folder["disk"]}@@{ConfigStart}", "::provision.yaml").ExitCode);
    }

    /// <summary>As a shell's &lt;(sops --decrypt …) gives it: it can be read once.</summary>
    [Fact]
    public async Task AFileThatIsAPipe_IsReadOnce()
    {
        Tool.Run("mkfifo", _folder["pipe"]);
        using var writing = Tool.Start("sh", "-c", $"echo 'hostname: edge-7' > '{_folder["pipe"]}'"); // which waits for a reader

        await FlashTests.FlashAsync(_image, _folder["copy"], "--provision", _folder["pipe"]);

        Assert.Equal(0, Tool.End(writing).ExitCode);
        Assert.Equal("hostname: edge-7\n", Tool.Run("mtype", "-i", $"{_folder["copy"]}@@{ConfigStart}", "::provision.yaml"));
    }

    [Theory]
    [InlineData("hostname: Edge_7", ":1:11: hostname: expected a host name")]
    [InlineData("fleet: { enrolmentToken: 'two words' }", ":1:26: fleet.enrolmentToken: expected a word without spaces")]
    [InlineData("", "the file is empty")]
    public async Task AFileThatMakesNoSense_IsRefused_BeforeAnythingIsWritten(string told, string why)
    {
        using var disk = new LoopDevice(_folder["disk"], 24 * MiB);
        var error = await Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync(_image, disk.Path, "--yes", "--provision", _folder.Write("told.yaml", told)));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("two words", error.Message, StringComparison.Ordinal);
        Assert.False(disk.Read(0, 24 * MiB).AsSpan().ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task AnImageWithoutThePartition_IsRefused_BeforeAnythingIsWritten()
    {
        var other = SomeDisk.Make(_folder["other.img"]);
        using var disk = new LoopDevice(_folder["disk"], 24 * MiB);
        var error = await Assert.ThrowsAsync<UserError>(() => FlashTests.FlashAsync(other, disk.Path, "--yes", "--provision", _folder.Write("told.yaml", "hostname: edge-7")));
        Assert.Contains("no partition config", error.Message, StringComparison.Ordinal);
        Assert.False(disk.Read(0, 24 * MiB).AsSpan().ContainsAnyExcept((byte)0));
    }
}
