using Appliance.Core;
using Appliance.Core.Health;
using Appliance.Core.Telemetry;
using Appliance.Core.Updates;
using Appliance.ImageBuilder.Definition;
using Core.Tests.Access;

namespace ImageBuilder.Tests.Definition;

public sealed class DefinitionReaderTests : IDisposable
{
    private const string Minimal = "id: edge\nversion: 1.2.3\nboard: vm-x86_64\n";
    private readonly DefinitionFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_TheDefaultDefinition_GivesItsValues()
    {
        var definition = DefinitionReader.Read(Path.Combine(DefinitionFolder.Library, "appliance.yaml"), DefinitionFolder.Library);

        Assert.Equal("appliance", definition.Id);
        Assert.Equal("uefi-x86_64", definition.Board.Name);
        Assert.Contains("linux-image-amd64", definition.Board.Packages);
        Assert.Contains("systemd", definition.Board.Packages);
        Assert.Equal("k3s", definition.Workloads.Engine!.Name);
        Assert.Equal("podman", definition.Workloads.Fallback!.Name);
        Assert.Equal(2, definition.Overlays.Count);
        Assert.All(definition.Overlays, overlay => Assert.True(Directory.Exists(overlay)));
        Assert.Equal(2L << 30, definition.Sizes.Slot);
    }

    [Fact]
    public void Read_OnlyTheRequiredKeys_FillsInTheDefaults()
    {
        var definition = DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library);

        Assert.Equal("trixie", definition.Suite);
        Assert.Equal(RootCompression.None, definition.Compression);
        Assert.Empty(definition.Users);
        Assert.Null(definition.Workloads.Engine);
        Assert.Equal(TimeSpan.FromMinutes(5), definition.Health.Timeout);
    }

    [Fact]
    public void Read_WorkloadsOfTheImage_GivesTheirFolders_AndThemTime()
    {
        Workload("shop", "amd64");

        var definition = DefinitionReader.Read(_folder.Write(Minimal + "workloads: { engine: podman, include: [shop] }\n"), DefinitionFolder.Library);

        Assert.Equal([_folder.CreateFolder("shop")], definition.Workloads.Include);
        Assert.Equal(TimeSpan.FromMinutes(15), definition.Health.Timeout);
        Assert.Equal(TimeSpan.FromMinutes(3), DefinitionReader.Read(_folder.Write(Minimal + "workloads: { engine: podman, include: [shop] }\nhealth: { timeout: 3min }\n"), DefinitionFolder.Library).Health.Timeout);
    }

    [Theory]
    [InlineData("{ include: [shop] }", "no workload engine")]
    [InlineData("{ engine: podman, include: [shop, again] }", "shop is named already")]
    [InlineData("{ engine: podman, include: [arm] }", "images are for arm64")]
    [InlineData("{ engine: podman, include: [nothing] }", "nothing does not exist")]
    [InlineData("{ engine: podman, include: [shop], follow: [shop] }", "is followed, too")]
    [InlineData("{ engine: podman, include: [empty] }", "workload.yaml")]
    public void Read_WorkloadsOfTheImageWithAMistake_SaysWhichAndWhere(string workloads, string problem)
    {
        Workload("shop", "amd64");
        Workload("arm", "arm64");
        Workload("again", "amd64");
        _folder.CreateFolder("empty");
        File.WriteAllText(Path.Combine(_folder.CreateFolder("keys"), "root.json"), SomeRoot.Create());

        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(_folder.Write($"{Minimal}workloads: {workloads}\nupdates: {{ root: keys/root.json, url: 'https://example.org/' }}\n"), DefinitionFolder.Library));

        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    private void Workload(string folder, string architecture) =>
        File.WriteAllText(Path.Combine(_folder.CreateFolder(folder), "workload.yaml"), $"id: {(folder == "again" ? "shop" : folder)}\nversion: 1.0\narchitecture: {architecture}\n");

    [Fact]
    public void Read_EveryKey_GivesWhatWasWritten()
    {
        _folder.CreateFolder("extra");
        var root = SomeRoot.Create();
        File.WriteAllText(Path.Combine(_folder.CreateFolder("keys"), "root.json"), root);
        using var authority = new SomeAuthority();
        File.WriteAllText(Path.Combine(_folder.CreateFolder("keys"), "clients.pem"), authority.Pem);
        var definition = DefinitionReader.Read(_folder.Write(Minimal + """
            suite: forky
            sourceDate: 2026-05-04T03:02:01Z
            hostname: box-1
            locale: de_DE.UTF-8
            timeZone: Europe/Berlin
            packages: { add: [openssh-server], remove: [tzdata], keepManager: true }
            overlays: [extra]
            services: { enable: [ssh.service], disable: [getty@tty1.service] }
            sizes: { esp: 256MiB, slot: 1GiB, data: 64MiB }
            root: { compression: zstd }
            kernel: { arguments: [quiet, "console=ttyS1,9600"] }
            users:
              - name: admin
                groups: [sudo]
                sshKeys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here]
                passwordHash: $6$saltsalt$abcdefghijklmnop
            persist: [/etc/machine-id, /etc/systemd/network]
            state: [/var/lib/shop, /etc/systemd/network/wan.network]
            workloads: { engine: podman }
            health:
              timeout: 90s
              stabilisation: 1min
              checks:
                - { name: web, http: "http://localhost:80/", interval: 1min, severity: warn }
                - { name: db, command: [/usr/bin/true, -x], timeout: 3s }
                - { name: room, disk: { path: /var, free: 10% } }
                - { name: clock, timeSync: true }
            updates: { root: keys/root.json, url: "https://updates.example.net/edge/", channel: beta, proxy: "http://proxy.example.net:3128" }
            access: { listen: "[::1]:8443", clientAuthority: keys/clients.pem }
            telemetry: { otlp: "https://collector.example.net:4318", interval: 10s, spool: 8MiB, logs: [{ unit: k3s.service, priority: warning, share: 10% }, { priority: info }] }
            """), DefinitionFolder.Library);

        Assert.Equal(new DateTimeOffset(2026, 5, 4, 3, 2, 1, TimeSpan.Zero), definition.SourceDate);
        Assert.Equal(RootCompression.Zstd, definition.Compression);
        Assert.Equal(256L << 20, definition.Sizes.Esp);
        Assert.Equal(["quiet", "console=ttyS1,9600"], definition.KernelArguments);
        Assert.True(definition.KeepPackageManager);
        Assert.Equal(["/var/lib/shop", "/etc/systemd/network/wan.network"], definition.State);
        Assert.Equal("admin", Assert.Single(definition.Users).Name);
        Assert.Equal(TimeSpan.FromSeconds(90), definition.Health.Timeout);
        Assert.Equal(TimeSpan.FromMinutes(1), definition.Health.Stabilisation);
        Assert.False(definition.Health.Checks[0].Gate);
        Assert.Equal(new DiskRequirement("/var", null, 10), definition.Health.Checks[2].Disk);
        Assert.Equal((HealthCheckKind.TimeSync, false), (definition.Health.Checks[3].Kind, definition.Health.Checks[3].Gate));
        Assert.Equal(["/usr/bin/true", "-x"], definition.Health.Checks[1].Command!);
        Assert.Equal(new UpdateSettings { Url = "https://updates.example.net/edge/", Channel = "beta", Proxy = "http://proxy.example.net:3128" }, definition.Updates!.Settings);
        Assert.Equal(root, definition.Updates.TrustedRoot);
        Assert.Equal((authority.Pem, "[::1]:8443"), (definition.ClientAuthority, definition.Listen));
        Assert.Equal(("https://collector.example.net:4318", TimeSpan.FromSeconds(10), 8L << 20), (definition.Telemetry!.Otlp, definition.Telemetry.Interval, definition.Telemetry.Spool));
        Assert.Equal([new LogRule { Unit = "k3s.service", Priority = 4, Share = 10 }, new LogRule { Priority = 6 }], definition.Telemetry.Logs);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{\"signed\":{\"_type\":\"targets\"},\"signatures\":[]}")]
    public void Refuses_ATrustedRootThatIsNone_AtItsKey(string content) => AssertRefused(content);

    [Fact]
    public void Refuses_ATrustedRootThatItsOwnKeysDidNotSign() =>
        AssertRefused(SomeRoot.Create().Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal));

    [Fact]
    public void Refuses_AClientAuthorityThatIsNone_AtItsKey()
    {
        File.WriteAllText(Path.Combine(_folder.CreateFolder("keys"), "clients.pem"), "hello");

        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(_folder.Write(Minimal + "access: { clientAuthority: keys/clients.pem }\n"), DefinitionFolder.Library));

        Assert.StartsWith($"{_folder.File}:4:28: access.clientAuthority: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("it holds no certificate in PEM form", error.Message, StringComparison.Ordinal);
    }

    private void AssertRefused(string root)
    {
        File.WriteAllText(Path.Combine(_folder.CreateFolder("keys"), "root.json"), root);

        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(_folder.Write(Minimal + "updates: { root: keys/root.json }\n"), DefinitionFolder.Library));

        Assert.StartsWith($"{_folder.File}:4:18: updates.root: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("expected a TUF root", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WithoutUpdates_SaysNothingOfThem() => Assert.Null(DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library).Updates);

    /// <summary>What is wrong, where (line:column of the whole file), and a part of the message.</summary>
    [Theory]
    [InlineData("color: red", "4:1", "color: there is no such key")]
    [InlineData("hostnam: x", "4:1", "did you mean hostname?")]
    [InlineData("sizes: { slot: 2 apples }", "4:16", "sizes.slot: \"2 apples\" found, expected a size")]
    [InlineData("sizes: { slot: 1MiB }", "4:16", "a size of 128MiB to 1TiB")]
    [InlineData("sizes: { esp: 100000001B }", "4:15", "whole MiB")]
    [InlineData("sizes: [1]", "4:8", "a list found, expected a mapping")]
    [InlineData("overlays: extra", "4:11", "\"extra\" found, expected a list of folders")]
    [InlineData("overlays: [nowhere]", "4:12", "overlays[0]: the folder nowhere does not exist")]
    [InlineData("overlays: [appliance.yaml]", "4:12", "is a file; expected a folder")]
    [InlineData("suite: Trixie!", "4:8", "a Debian suite")]
    [InlineData("hostname: -x-", "4:11", "a host name")]
    [InlineData("timeZone: ../../etc/passwd", "4:11", "an IANA time zone")]
    [InlineData("locale: german", "4:9", "a locale")]
    [InlineData("sourceDate: yesterday", "4:13", "a date")]
    [InlineData("packages: { add: [Nginx] }", "4:19", "a Debian package name")]
    [InlineData("packages: { add: [a-b, a-b] }", "4:24", "stands in the list already")]
    [InlineData("packages: { keepManager: maybe }", "4:26", "true or false")]
    [InlineData("services: { enable: [ssh] }", "4:22", "a systemd unit")]
    [InlineData("kernel: { arguments: [roothash=00] }", "4:23", "one kernel argument")]
    [InlineData("kernel: { arguments: ['a=\"b'] }", "4:23", "one kernel argument")]
    [InlineData("root: { compression: gzip }", "4:22", "none or lz4hc or zstd")]
    [InlineData("persist: [/var/x]", "4:11", "a path below /etc")]
    [InlineData("persist: [/etc/../root]", "4:11", "a path below /etc")]
    [InlineData("persist: [/etc/a, /etc/a/b]", "4:19", "lies within /etc/a")]
    [InlineData("state: [/usr/x]", "4:9", "a path below /var or /etc")]
    [InlineData("state: [/var/lib/../../usr]", "4:9", "a path below /var or /etc")]
    [InlineData("state: [/var/lib]", "4:9", "a path below /var or /etc")]
    [InlineData("state: [/var/lib/appliance/etc/x]", "4:9", "a path below /var or /etc")]
    [InlineData("state: [/var/lib/a, /var/lib/a/b]", "4:21", "lies within /var/lib/a")]
    [InlineData("state: [/etc/hostname]", "4:9", "is not within a path of persist")]
    [InlineData("users: [{ name: root }]", "4:17", "other than root")]
    [InlineData("users: [{ groups: [a] }]", "4:9", "the key name is missing")]
    [InlineData("users: [{ name: a, sshKeys: [ssh-ed25519 AAAA] }]", "4:30", "a public key")]
    [InlineData("users: [{ name: a, passwordHash: secret }]", "4:34", "crypt(5)")]
    [InlineData("users: [{ name: a }, { name: a }]", "4:22", "there is a user a already")]
    [InlineData("workloads: { engine: docker }", "4:22", "expected one of k3s, podman")]
    [InlineData("health: { timeout: soon }", "4:20", "a time of 1s to 3600s")]
    [InlineData("health: { checks: [{ name: x }] }", "4:20", "exactly one of unit, http, tcp, command, disk, timeSync, updateServer, node, workloads; found none")]
    [InlineData("health: { checks: [{ name: x, tcp: 'a:1', unit: a.service }] }", "4:36", "found unit and tcp")]
    [InlineData("health: { checks: [{ name: x, tcp: 'a:99999' }] }", "4:36", "host:port")]
    [InlineData("health: { checks: [{ name: x, command: [true] }] }", "4:40", "absolute path")]
    [InlineData("health: { checks: [{ name: x, http: 'ftp://a' }] }", "4:37", "an http or https URL")]
    [InlineData("health: { checks: [{ name: x, disk: { path: /var, free: 100% } }] }", "4:57", "a size such as 500MiB or a part of 1% to 99%")]
    [InlineData("health: { checks: [{ name: x, disk: { free: 1MiB } }] }", "4:37", "the key path is missing")]
    [InlineData("health: { checks: [{ name: x, timeSync: false }] }", "4:41", "\"false\" found, expected true")]
    [InlineData("health: { checks: [{ name: x, workloads: true }] }", "4:20", "health.checks[0]: there is no workload engine to ask")]
    [InlineData("health: { checks: [{ name: x, tcp: 'a:1', successes: 0 }] }", "4:54", "a number of 1 to 100")]
    [InlineData("health: { checks: [{ name: network, tcp: 'a:1' }] }", "4:28", "that no built-in check has")]
    [InlineData("health: { stabilisation: 2h }", "4:26", "a time of 0s to 3600s")]
    [InlineData("updates: { root: nowhere.json }", "4:18", "updates.root: the file nowhere.json does not exist")]
    [InlineData("updates: { root: . }", "4:18", "is a folder; expected a file")]
    [InlineData("updates: { url: 'https://updates.example.net/' }", "4:17", "there is a repository but no root")]
    [InlineData("updates: { url: 'ftp://updates.example.net/' }", "4:17", "an http, https or file URL")]
    [InlineData("updates: { url: 'https://updates.example.net/?a=b' }", "4:17", "an http, https or file URL")]
    [InlineData("access: { listen: 443 }", "4:19", "an address and port")]
    [InlineData("access: { listen: '10.0.0.300:443' }", "4:19", "an address and port")]
    [InlineData("access: { listen: 'device.local:443' }", "4:19", "an address and port")]
    [InlineData("access: { listen: '192.0.2.7:0' }", "4:19", "an address and port")]
    [InlineData("access: { listen: '[::1]:70000' }", "4:19", "an address and port")]
    [InlineData("telemetry: { interval: 10s }", "4:12", "the key otlp is missing")]
    [InlineData("telemetry: { otlp: 'ftp://collector.example.net/' }", "4:20", "an http or https URL")]
    [InlineData("telemetry: { otlp: 'https://me:secret@collector.example.net/' }", "4:20", "an http or https URL")]
    [InlineData("telemetry: { otlp: 'https://c.example', logs: [{ share: 0% }] }", "4:57", "a part of 1% to 100%")]
    [InlineData("telemetry: { otlp: 'https://c.example', logs: [{ priority: loud }] }", "4:60", "emergency or alert")]
    [InlineData("updates: { proxy: 'socks5://proxy:1080' }", "4:19", "an http URL")]
    [InlineData("updates: { proxy: 'http://ada:secret@proxy:3128' }", "4:19", "an http URL")]
    [InlineData("updates: { channel: Stable }", "4:21", "the name of a channel")]
    [InlineData("updates: { channel: targets }", "4:21", "the name of a channel")]
    [InlineData("hostname: [", "5:1", "not valid YAML")]
    [InlineData("hostname: a\nhostname: b", "5:1", "not valid YAML")]
    [InlineData("hostname: &a x\nlocale: *a", "5:9", "aliases (*name) are not supported")]
    [InlineData("---\nid: other", "5:1", "a second document begins")]
    public void Read_AMistake_SaysWhereAndWhatWasExpected(string line, string position, string message)
    {
        var path = _folder.Write(Minimal + line + "\n");

        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(path, DefinitionFolder.Library));

        Assert.StartsWith($"{path}:{position}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version: 1\nboard: vm-x86_64\n", "1:1: the key id is missing")]
    [InlineData("id: Edge\nversion: 1\nboard: vm-x86_64\n", "1:5: id: \"Edge\" found, expected an id")]
    [InlineData("id: edge\nversion: 1+2\nboard: vm-x86_64\n", "2:10: version: \"1+2\" found")]
    [InlineData("id: abcdefghijklmnopqrstuvwx\nversion: 1.0.0-rc12345\nboard: vm-x86_64\n", "2:10: version: ")]
    [InlineData("id: edge\nversion: 1\nboard: toaster\n", "3:8: board: there is no boards/toaster.yaml; expected one of")]
    [InlineData("", "1:1: the file is empty")]
    [InlineData("just text", "1:1: \"just text\" found, expected a mapping")]
    [InlineData("- a\n- b\n", "1:1: a list found, expected a mapping")]
    public void Read_AnUnusableDefinition_SaysWhy(string yaml, string message)
    {
        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(_folder.Write(yaml), DefinitionFolder.Library));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AMissingFile_SaysSo()
    {
        var error = Assert.Throws<UserError>(() => DefinitionReader.Read("/nowhere/appliance.yaml", DefinitionFolder.Library));

        Assert.Contains("/nowhere/appliance.yaml does not exist", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AnotherBoardBesideTheDefinition_IsTakenBeforeTheProducts()
    {
        var boards = _folder.CreateFolder("boards");
        File.WriteAllText(Path.Combine(boards, "vm-x86_64.yaml"), "architecture: amd64\nboot: systemd-boot\npackages: [linux-image-mine]\n");

        var definition = DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library);

        Assert.Contains("linux-image-mine", definition.Board.Packages);
    }

    [Fact]
    public void Read_WithAnotherBoard_TakesItInsteadOfTheDefinitions()
    {
        var board = DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library, "uefi-arm64").Board;
        Assert.Equal(("uefi-arm64", "arm64"), (board.Name, board.Architecture));

        var error = Assert.Throws<UserError>(() => DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library, "abacus"));
        Assert.Contains("--board abacus: there is no boards/abacus.yaml; expected one of", error.Message, StringComparison.Ordinal);
    }

    /// <summary>What a Raspberry Pi's firmware is, Debian does not call free.</summary>
    [Fact]
    public void Read_TheRaspberryPi_TakesItsFirmwareFromWhereDebianHasIt()
    {
        var board = DefinitionReader.Read(_folder.Write(Minimal), DefinitionFolder.Library, "raspberry-pi").Board;

        Assert.Equal((BootScheme.Tryboot, "arm64"), (board.Boot, board.Architecture));
        Assert.Equal(["non-free-firmware"], board.ArchiveAreas);
        Assert.Contains("raspi-firmware", board.Packages);
        Assert.Equal(["linux-*"], board.Backports);
    }

    [Fact]
    public void Read_RandomlyDamagedDefinitions_GivesAValueOrOneErrorWithAPlace()
    {
        var original = File.ReadAllText(Path.Combine(DefinitionFolder.Library, "appliance.yaml"));
        const string alphabet = " \n\t:-[]{},&*!|>'\"%@`#\0\u00e9aZ0~";
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var text = new System.Text.StringBuilder(original);
            for (var edits = random.Next(1, 6); edits > 0; edits--)
            {
                var at = random.Next(text.Length);
                if (random.Next(2) == 0) text.Remove(at, Math.Min(random.Next(1, 20), text.Length - at));
                else text.Insert(at, alphabet[random.Next(alphabet.Length)]);
            }
            var path = _folder.Write(text.ToString());
            try
            {
                DefinitionReader.Read(path, DefinitionFolder.Library);
            }
            catch (UserError error)
            {
                Assert.Matches(@"^.+\.yaml:\d+:\d+: ", error.Message);
            }
        }
    }
}
