using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Appliance.SystemTests;

/// <summary>Whole builds with the real tools, on the cache that ./build.sh filled.</summary>
public sealed class BuildTests : IDisposable
{
    private readonly string _folder = Directory.CreateDirectory(Path.Combine(Product.Root, "out", $"test-{Guid.NewGuid():N}")).FullName;

    public void Dispose()
    {
        using var remove = Process.Start("rm", ["-rf", "--one-file-system", _folder]);
        remove.WaitForExit();
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    private static string DefaultDefinition => File.ReadAllText(Path.Combine(Product.Root, "image", "appliance.yaml"));

    private Task<(int ExitCode, string Output, string Errors)> BuildAsync(string definition, params string[] more) =>
        Product.RunAsync(["build", definition, "--output", Path.Combine(_folder, "out"), "--cache", Product.Cache, "--json", .. more]);

    [Fact]
    public async Task AnUnchangedBuild_DoesNothing_AndAnOverlayChange_RebuildsOnlyFromThere()
    {
        var overlay = Write("mine/etc/motd", "one\n");
        // As packages have it that know System V as well: what systemctl calls for those scripts is not there any more.
        Write("mine/etc/init.d/mine", "#!/bin/sh\n");
        Write("mine/usr/lib/systemd/system/mine.service", "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n");
        var definition = Write("edge.yaml", DefaultDefinition.Replace("  - overlays/supervisor", "  - overlays/supervisor\n  - mine", StringComparison.Ordinal) + "services: { enable: [mine.service] }\n");
        var first = await BuildAsync(definition);
        Assert.True(first.ExitCode == 0, first.Errors);

        var unchanged = Product.Stages((await BuildAsync(definition)).Output);
        var (oldRoot, oldKernel) = await PartsAsync();
        File.WriteAllText(overlay, "two\n");
        var changed = Product.Stages((await BuildAsync(definition)).Output);
        var (newRoot, newKernel) = await PartsAsync();

        Assert.All(unchanged.Values, state => Assert.Equal("cached", state));
        Assert.DoesNotContain("disk", unchanged.Keys);
        foreach (var stage in new[] { "tools", "base", "supervisor", "initrd" }) Assert.Equal("cached", changed[stage]);
        foreach (var stage in new[] { "overlays", "erofs", "verity", "uki", "esp", "disk", "bundle" }) Assert.Equal("done", changed[stage]);
        // What is not touched stays where it is, or no delta can be small: the file's block; the root hash and the PE check sum.
        Assert.Equal(1, ChangedBlocks(oldRoot, newRoot));
        Assert.InRange(ChangedBlocks(oldKernel, newKernel), 1, 2);
    }

    /// <summary>The root and the kernel image that the last build's outputs were made of.</summary>
    private async Task<(byte[] Root, byte[] Kernel)> PartsAsync()
    {
        var record = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_folder, "out", "appliance_1.0.0_amd64", "build.json"), TestContext.Current.CancellationToken))!;
        Task<byte[]> Part(string stage, string name) =>
            File.ReadAllBytesAsync(Path.Combine(Product.Stage(record, stage), name), TestContext.Current.CancellationToken);
        return (await Part("erofs", "root.erofs"), await Part("uki", "uki.efi"));
    }

    /// <summary>How many blocks of 4 KiB differ at the same place.</summary>
    private static int ChangedBlocks(byte[] before, byte[] after)
    {
        const int block = 4096;
        Assert.Equal(before.Length, after.Length);
        var changed = 0;
        for (var at = 0; at < before.Length; at += block)
        {
            var length = Math.Min(block, before.Length - at);
            if (!before.AsSpan(at, length).SequenceEqual(after.AsSpan(at, length))) changed++;
        }
        return changed;
    }

    [Fact(Explicit = true)]
    public async Task TwoColdBuilds_AreByteIdentical()
    {
        var definition = Path.Combine(Product.Root, "image", "appliance.yaml");
        var second = await Product.RunAsync("build", definition, "--output", Path.Combine(_folder, "out"), "--cache", Path.Combine(_folder, "cache"), "--locked", "--json");

        Assert.True(second.ExitCode == 0, second.Errors);
        Assert.All(Product.Stages(second.Output).Values, state => Assert.Equal("done", state));
        await AssertSameImageAsync();
    }

    [Fact(Explicit = true)]
    public async Task ABuildWithoutRoot_MakesTheSameImage()
    {
        // Subordinate ids for nobody, for as long as the test runs.
        string[] files = ["/etc/subuid", "/etc/subgid"];
        var before = files.ToDictionary(file => file, file => File.Exists(file) ? File.ReadAllText(file) : "");
        try
        {
            foreach (var file in files) await File.AppendAllTextAsync(file, "nobody:2000000000:65536\n", TestContext.Current.CancellationToken);
            await RunToolAsync("chown", "nobody", _folder);
            var supervisor = Directory.GetDirectories(Product.Cache, "supervisor-*").MaxBy(Directory.GetLastWriteTimeUtc)!;
            await RunToolAsync("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", $"HOME={_folder}", "USER=nobody", "LOGNAME=nobody",
                Path.Combine(Product.Root, "out", "bin", "appliance"), "build", Path.Combine(Product.Root, "image", "appliance.yaml"), "--locked", "--supervisor", Path.Combine(supervisor, "appliance-supervisor"),
                "--output", Path.Combine(_folder, "out"), "--cache", Path.Combine(_folder, "cache"));
        }
        finally
        {
            foreach (var (file, text) in before) await File.WriteAllTextAsync(file, text, CancellationToken.None);
        }
        await AssertSameImageAsync();
    }

    private async Task AssertSameImageAsync()
    {
        var folder = Path.Combine(_folder, "out", Path.GetFileName(Product.Image));
        foreach (var file in new[] { "disk.img", "disk.img.zst", "disk.img.bmap", "sbom.cdx.json", Path.GetFileName(Product.Image) + ".bundle" })
            await RunToolAsync("cmp", Path.Combine(Product.Image, file), Path.Combine(folder, file));
    }

    private static async Task RunToolAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with exit code {process.ExitCode}");
    }

    [Fact]
    public async Task AnInterruptedBuild_LeavesNoMountsNoProcessesNoResults()
    {
        var definition = Write("edge.yaml", DefaultDefinition.Replace("id: appliance", "id: interrupted", StringComparison.Ordinal));
        var cache = Path.Combine(_folder, "cache");
        using var build = Product.Start("build", definition, "--output", Path.Combine(_folder, "out"), "--cache", cache, "--json");
        // In the middle of the base tree: packages are being unpacked.
        while (await build.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            if (line.Contains("\"stage\":\"base\"", StringComparison.Ordinal) && line.Contains("installing", StringComparison.Ordinal)) break;

        using (var interrupt = Process.Start("kill", ["-INT", $"{build.Id}"])) await interrupt.WaitForExitAsync(TestContext.Current.CancellationToken);
        var rest = build.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await build.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await build.WaitForExitAsync(TestContext.Current.CancellationToken);
        await rest;

        Assert.Equal(130, build.ExitCode);
        Assert.Contains("Interrupted", errors, StringComparison.Ordinal);
        Assert.DoesNotContain(_folder, await File.ReadAllTextAsync("/proc/self/mountinfo", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        // An image without workloads has nothing to do for them, so that stage has ended, and stays for the next build.
        Assert.DoesNotContain(Directory.EnumerateDirectories(cache), stage => !Path.GetFileName(stage).StartsWith("workloads-", StringComparison.Ordinal) || stage.EndsWith(".partial", StringComparison.Ordinal));
        Assert.False(Directory.Exists(Path.Combine(_folder, "out", "interrupted_1.0.0_amd64")));
        var strays = Directory.EnumerateDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _)).Where(folder =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(folder, "cmdline")).Contains(_folder, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false; // it ended meanwhile
            }
        });
        Assert.Empty(strays);
    }

    [Theory]
    [InlineData("packages: { add: [no-such-package-here] }", "Debian trixie has no package no-such-package-here for amd64.")]
    [InlineData("packages: { remove: [linux-image-amd64] }", "bring no kernel", Explicit = true)] // a base tree of its own
    [InlineData("packages: { remove: [nginx] }", "packages.remove names nginx, which is not in the image")]
    [InlineData("services: { enable: [nowhere.service] }", "services.enable names nowhere.service")]
    [InlineData("sizes: { slot: 128MiB }", "does not fit into a slot of 128 MiB")]
    [InlineData("sizes: { esp: 64MiB }", "cannot hold the kernel images of two slots")]
    [InlineData("board: uefi-sparc", "there is no boards/uefi-sparc.yaml; expected one of raspberry-pi, uefi-arm64")]
    [InlineData("timeZone: Mars/Olympus", "There is no time zone Mars/Olympus")]
    public async Task AMistakeThatOnlyTheToolsSee_IsOneClearError(string line, string message)
    {
        var key = line[..line.IndexOf(':', StringComparison.Ordinal)];
        var kept = string.Join('\n', WithoutKey(DefaultDefinition.Split('\n'), key));
        var definition = Write("edge.yaml", $"{kept}\n{line}\n");

        var (exitCode, _, errors) = await BuildAsync(definition);

        Assert.Equal(2, exitCode);
        Assert.StartsWith("error: ", errors, StringComparison.Ordinal);
        Assert.Contains(message, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "out", "appliance_1.0.0_amd64")));
    }

    /// <summary>A machine that lacks some of what another architecture takes.</summary>
    [Theory]
    [InlineData("", "the compiler for the supervisor is missing (clang, ld.lld, aarch64-linux-gnu-objcopy, aarch64-linux-gnu-gcc)", "apt-get install clang lld binutils-aarch64-linux-gnu gcc-aarch64-linux-gnu libc6-dev-arm64-cross")]
    [InlineData("--supervisor=/bin/true", "the emulator is missing (arch-test)", "apt-get install qemu-user-static arch-test")]
    [InlineData("--supervisor=/bin/true", "which does not run arm64 programs", "/usr/lib/systemd/systemd-binfmt qemu-aarch64.conf", true)]
    public async Task AnotherArchitecture_WithoutWhatItTakes_TheErrorSaysWhatToInstall(string option, string message, string hint, bool tester = false)
    {
        Assert.SkipWhen(RuntimeInformation.OSArchitecture == Architecture.Arm64, "this machine is arm64");
        var start = new ProcessStartInfo(Path.Combine(Product.Root, "out", "bin", "appliance"), ["build", Path.Combine(Product.Root, "image", "appliance.yaml"), "--board", "uefi-arm64", "--output", Path.Combine(_folder, "out")]) { RedirectStandardError = true, RedirectStandardOutput = true };
        if (option.Length > 0) start.ArgumentList.Add(option);
        start.Environment["PATH"] = _folder;
        if (tester) File.SetUnixFileMode(Write("arch-test", "#!/bin/sh\nexit 1\n"), (UnixFileMode)0b111_101_101);
        using var build = Process.Start(start)!;
        var errors = await build.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await build.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2, build.ExitCode);
        Assert.StartsWith("error: Board uefi-arm64 is arm64 and this machine is amd64", errors, StringComparison.Ordinal);
        Assert.Contains(message, errors, StringComparison.Ordinal);
        Assert.Contains(hint, errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "out")));
    }

    [Fact]
    public async Task WithoutANetwork_TheErrorSaysSo()
    {
        var definition = Path.Combine(Product.Root, "image", "appliance.yaml");

        var (exitCode, _, errors) = await Product.RunAsync("build", definition, "--output", Path.Combine(_folder, "out"), "--cache", Path.Combine(_folder, "cache"), "--mirror", "http://127.0.0.1:9/debian",
            "--supervisor", "/bin/true");

        Assert.Equal(2, exitCode);
        Assert.Contains("The Debian archive cannot be reached", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BackportsOfASuiteThatNoSourceHas_AreAClearError()
    {
        Write("boards/new-kernel.yaml", "architecture: amd64\nboot: systemd-boot\npackages: [linux-image-amd64]\nbackports: [linux-*]\n");
        var definition = Write("edge.yaml", "id: edge\nversion: 1.0\nsuite: trixie\nboard: new-kernel\nsourceDate: 2026-11-01\n");
        // It says nothing, so that nobody finds another fault in it first.
        using var archive = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        archive.Start();

        var (exitCode, _, errors) = await Product.RunAsync("build", definition, "--output", Path.Combine(_folder, "out"), "--cache", Path.Combine(_folder, "cache"), "--mirror", $"deb [trusted=yes] http://{archive.LocalEndpoint}/debian sid main",
            "--supervisor", "/bin/true");

        Assert.Equal(2, exitCode);
        Assert.Contains("Board new-kernel takes packages from trixie-backports, and no source of packages holds trixie", errors, StringComparison.Ordinal);
        Assert.Contains("Give --mirror a URL", errors, StringComparison.Ordinal);

        var alias = await Product.RunAsync("build", Write("edge.yaml", "id: edge\nversion: 1.0\nsuite: stable\nboard: new-kernel\nsourceDate: 2026-11-01\n"), "--output", Path.Combine(_folder, "out"), "--supervisor", "/bin/true");
        Assert.Equal(2, alias.ExitCode);
        Assert.Contains("those of stable go by a code name", alias.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutSpace_TheErrorSaysHowMuchIsMissing()
    {
        var small = Directory.CreateDirectory(Path.Combine(_folder, "small")).FullName;
        using (var mount = Process.Start("mount", ["-t", "tmpfs", "-o", "size=100M", "tmpfs", small])) await mount.WaitForExitAsync(TestContext.Current.CancellationToken);
        try
        {
            var (exitCode, _, errors) = await Product.RunAsync("build", Path.Combine(Product.Root, "image", "appliance.yaml"), "--output", Path.Combine(_folder, "out"), "--cache", small);
            Assert.Equal(2, exitCode);
            Assert.Contains("100 MiB free; a build needs 4 GiB", errors, StringComparison.Ordinal);
        }
        finally
        {
            using var umount = Process.Start("umount", [small]);
            await umount.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task LockedPackages_ThatTheArchiveDoesNotHave_AreRefused()
    {
        var definition = Write("edge.yaml", DefaultDefinition);
        var locked = await File.ReadAllLinesAsync(Path.Combine(Product.Root, "image", "appliance.lock.yaml"), TestContext.Current.CancellationToken);
        var systemd = Array.FindIndex(locked, line => line.StartsWith("    - systemd ", StringComparison.Ordinal));
        locked[systemd] = locked[systemd].Replace("systemd 2", "systemd 1", StringComparison.Ordinal);
        var kept = Write("edge.lock.yaml", string.Join('\n', locked));

        var (exitCode, _, errors) = await BuildAsync(definition, "--locked");

        Assert.Equal(2, exitCode);
        Assert.Contains("- systemd 1", errors, StringComparison.Ordinal);
        Assert.Contains("+ systemd 2", errors, StringComparison.Ordinal);
        Assert.Equal(string.Join('\n', locked), await File.ReadAllTextAsync(kept, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AComponentWithAnotherHash_IsRefused()
    {
        var file = Write("k3s", "not k3s");

        var (exitCode, _, errors) = await BuildAsync(Path.Combine(Product.Root, "image", "appliance.yaml"), "--component", $"k3s={file}");

        Assert.Equal(2, exitCode);
        Assert.Contains("its sha256 is", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAFallback_AMissingComponent_IsAnErrorThatSaysWhatToSupply()
    {
        Write("components.lock.yaml", Pins("http://127.0.0.1:9/k3s", new string('0', 64)));
        var definition = Write("edge.yaml", DefaultDefinition.Replace("  fallback: podman", "", StringComparison.Ordinal));

        var (exitCode, _, errors) = await BuildAsync(definition);

        Assert.Equal(2, exitCode);
        Assert.Contains("--component k3s=FILE", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheFallback_IsRecorded()
    {
        var record = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Product.Image, "build.json"), TestContext.Current.CancellationToken))!;

        Assert.Equal("k3s", (string?)record["workloads"]!["wanted"]);
        Assert.Equal("podman", (string?)record["workloads"]!["engine"]);
        Assert.Contains("k3s", (string?)record["workloads"]!["fallbackReason"], StringComparison.Ordinal);
    }

    /// <summary>The stand-in records how it was started; this covers how the image is put together, not Kubernetes.</summary>
    [Fact(Explicit = true)]
    public async Task AGivenK3s_IsBakedIn_AndStartedWithItsConfiguration()
    {
        const string standIn = "#!/bin/sh\n{ echo \"$0 $*\"; cat /etc/rancher/k3s/config.yaml; ls /var/lib/rancher/k3s/agent/images; } > /run/k3s-started\nsystemd-notify --ready\nexec sleep infinity\n";
        var binary = Write("k3s", standIn);
        var images = Write("images.tar.zst", "stand-in for the air-gap images");
        Write("components.lock.yaml", Pins("http://127.0.0.1:9/k3s", Sha256(binary)) + Pin("k3s-airgap-images", "http://127.0.0.1:9/i", Sha256(images), "/usr/lib/appliance/k3s/images/k3s-airgap-images-amd64.tar.zst"));
        var definition = Write("edge.yaml", DefaultDefinition.Replace("id: appliance", "id: edge-k3s", StringComparison.Ordinal).Replace("  fallback: podman", "", StringComparison.Ordinal).Replace("  - overlays/supervisor", "  - overlays/supervisor\n  - overlays/kata", StringComparison.Ordinal));
        var (exitCode, _, errors) = await BuildAsync(definition, "--component", $"k3s={binary}", "--component", $"k3s-airgap-images={images}");
        Assert.True(exitCode == 0, errors);

        await using var machine = await RunningMachine.StartAsync("k3s-stand-in", Path.Combine(_folder, "out", "edge-k3s_1.0.0_amd64", "disk.img"));
        await machine.WaitForGoodBootAsync();

        Assert.Equal("active", await machine.RunAsync("systemctl is-active k3s.service"));
        var started = await machine.RunAsync("cat /run/k3s-started");
        Assert.StartsWith("/usr/bin/k3s server", started, StringComparison.Ordinal);
        Assert.Contains("write-kubeconfig: /run/k3s/k3s.yaml", started, StringComparison.Ordinal);
        Assert.Contains("appliance-1.0.0-k3s-airgap-images-amd64.tar.zst", started, StringComparison.Ordinal);
        Assert.Equal("README\nkata.yaml", await machine.RunAsync("ls /var/lib/rancher/k3s/server/manifests/appliance/"));
        Assert.Contains("io.containerd.kata.v2", await machine.RunAsync("cat /var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl"), StringComparison.Ordinal);
        Assert.Equal("700", await machine.RunAsync("stat --format %a /var/lib/rancher/k3s/server"));
        Assert.Contains("k3s agent", await machine.RunAsync("systemctl cat k3s-agent.service"), StringComparison.Ordinal);
        await machine.RunAsync("mkdir -p /etc/rancher/k3s/config.yaml.d && touch /etc/rancher/k3s/config.yaml.d/mine.yaml /var/lib/rancher/k3s/x /var/lib/kubelet/x /var/lib/cni/x");
        Assert.Equal("1\n1", await machine.RunAsync("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables"));
        Assert.Equal("k3s", (string?)(await machine.StatusAsync())!["workloads"]);
    }

    private static IEnumerable<string> WithoutKey(IEnumerable<string> lines, string key)
    {
        var inside = false;
        foreach (var line in lines)
        {
            if (line.Length > 0 && !char.IsWhiteSpace(line[0]) && line[0] != '#') inside = line.StartsWith(key + ":", StringComparison.Ordinal);
            if (!inside) yield return line;
        }
    }

    private static string Pins(string url, string sha256) => "components:\n" + Pin("k3s", url, sha256, "/usr/bin/k3s", executable: true);

    private static string Pin(string name, string url, string sha256, string path, bool executable = false) =>
        $"  - {{ name: {name}, version: v0, architecture: amd64, url: \"{url}\", sha256: {sha256}, path: {path}, executable: {(executable ? "true" : "false")}, required: {(executable ? "true" : "false")} }}\n";

    private static string Sha256(string path) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));
}
