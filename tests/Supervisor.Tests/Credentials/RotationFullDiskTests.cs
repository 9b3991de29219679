using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>The disk is full from any point on: what was used is used on, the reason is told, and with room on the disk it works.</summary>
public sealed class RotationFullDiskTests
{
    private const int Page = 4096, MostPages = 60;

    [Theory]
    [InlineData("file", "var")]
    [InlineData("file", "etc")]
    [InlineData("page", "var")]
    [InlineData("ssh", "var")]
    [InlineData("keys", "var")]
    public async Task WhereverTheDiskIsFull_NothingIsLost_AndItWorksLater(string kind, string part)
    {
        for (var pages = 0; ; pages++)
        {
            using CredentialScene scene = kind switch { "file" => new FileScene(), "page" => new PageScene(), "keys" => new SshKeysScene(), _ => new SshScene() };
            Directory.CreateDirectory(scene[part]);
            using var disk = new SmallDisk(scene[part], "1m");
            var filler = Fill(scene[part], pages * Page);
            var record = await RotateAsync(scene, kind);
            File.Delete(filler);
            if (record is not null)
            {
                Assert.Equal(1, await scene.UsedAsync());
                Assert.InRange(pages, part == "etc" ? 1 : 3, MostPages);
                return;
            }
            var used = await scene.UsedAsync();
            Assert.InRange(used, 0, 1);
            Assert.False((await scene.ResumeAsync()).IsUnderWay, $"with {pages} pages it does not end");
            used = await scene.UsedAsync();
            Assert.Equal(RotationStep.Idle, (await scene.RotateAsync(isEmergency: true)).Step);
            Assert.True(await scene.UsedAsync() > used, $"with {pages} pages it does not work again");
            Assert.True(pages < MostPages);
        }
    }

    /// <summary>Null for a disk that is full.</summary>
    private static async Task<RotationRecord?> RotateAsync(CredentialScene scene, string kind)
    {
        try
        {
            return await scene.RotateAsync();
        }
        catch (Exception e) when (e is UserError or IOException)
        {
            // What the program prints that makes a file's secret is not told.
            Assert.Matches(kind == "file" ? "No space left on device|make failed with exit code [1-9]; the disk has [0-9.]+ (B|KiB) left" : "No space left on device", e.Message);
            return null;
        }
    }

    private static string Fill(string folder, long left)
    {
        var filler = Path.Combine(folder, "filler");
        using var stream = File.Create(filler);
        stream.Write(new byte[new DriveInfo(folder).AvailableFreeSpace - left]);
        return filler;
    }
}
