using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace Appliance.SystemTests;

public sealed class CorruptedRootTests
{
    [Fact]
    public async Task OneFlippedByteInTheRoot_IsFoundByVerity_AndTheSystemDoesNotRunFromIt()
    {
        var image = Path.Combine(Path.GetTempPath(), $"corrupt-{Guid.NewGuid():N}.img");
        try
        {
            FlipOneByteOfPidOne(image);
            await using var machine = await RunningMachine.StartAsync("corrupted-root", image);
            await machine.WaitAsync("the corruption message", () => Task.FromResult(machine.Serial.Contains("is corrupted", StringComparison.Ordinal)));

            Assert.Matches(@"device-mapper: verity: .*block \d+ is corrupted", machine.Serial);
            // The kernel panics and the machine starts over; it got nowhere.
            await machine.WaitAsync("the second try", () => Task.FromResult(machine.Serial.LastIndexOf("BdsDxe: starting", StringComparison.Ordinal) > machine.Serial.IndexOf("is corrupted", StringComparison.Ordinal)));
            Assert.DoesNotContain("appliance-supervisor.service", machine.Serial, StringComparison.Ordinal);
            Assert.Null(await machine.StatusAsync());
        }
        finally
        {
            File.Delete(image);
        }
    }

    /// <summary>Where slot A begins; the ESP before it holds an initrd with the same program in it.</summary>
    private static long StartOfRoot(string image)
    {
        using var sfdisk = Process.Start(new ProcessStartInfo("sfdisk", ["--json", image]) { RedirectStandardOutput = true })!;
        var table = JsonNode.Parse(sfdisk.StandardOutput.ReadToEnd())!["partitiontable"]!;
        return table["partitions"]![1]!["start"]!.GetValue<long>() * table["sectorsize"]!.GetValue<long>();
    }

    /// <summary>Finds the program of PID 1 in the root partition by its content and flips one bit in its first block.</summary>
    private static void FlipOneByteOfPidOne(string copy)
    {
        File.Copy(Path.Combine(Product.Image, "disk.img"), copy);
        var needle = Encoding.ASCII.GetBytes("systemd.crash_action\0");
        using var file = File.OpenHandle(copy, FileMode.Open, FileAccess.ReadWrite);
        var buffer = new byte[8 << 20];
        var step = buffer.Length - needle.Length;
        for (var position = StartOfRoot(copy); position < RandomAccess.GetLength(file); position += step)
        {
            var read = RandomAccess.Read(file, buffer, position);
            var at = buffer.AsSpan(0, read).IndexOf(needle);
            if (at < 0) continue;
            RandomAccess.Write(file, [(byte)(buffer[at] ^ 1)], position + at);
            return;
        }
        Assert.Fail("systemd was not found in the image");
    }
}
