using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Appliance.UpdateServer.Fleet;

/// <summary>What the server remembers, in one of its databases.</summary>
internal abstract class FleetContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>Longest name of anything.</summary>
    public const int LongestName = 256;

    /// <summary>Longest text of anything.</summary>
    public const int LongestText = 4096;

    private const int HashLength = 64;

    /// <summary>Devices that are to be woken once this is written.</summary>
    public HashSet<long> Signalled { get; } = [];

    public DbSet<Device> Devices => Set<Device>();
    public DbSet<DeviceAttribute> Attributes => Set<DeviceAttribute>();
    public DbSet<DeviceReport> Reports => Set<DeviceReport>();
    public DbSet<Release> Releases => Set<Release>();
    public DbSet<Artifact> Artifacts => Set<Artifact>();
    public DbSet<UpdateAction> Actions => Set<UpdateAction>();
    public DbSet<ActionMessage> Messages => Set<ActionMessage>();
    public DbSet<Rollout> Rollouts => Set<Rollout>();
    public DbSet<RolloutGroup> Groups => Set<RolloutGroup>();
    public DbSet<RolloutMember> Members => Set<RolloutMember>();
    public DbSet<ApiKey> Keys => Set<ApiKey>();
    public DbSet<EnrolmentToken> EnrolmentTokens => Set<EnrolmentToken>();
    public DbSet<DeviceCertificate> Certificates => Set<DeviceCertificate>();
    public DbSet<AuditEntry> Audit => Set<AuditEntry>();

    /// <summary>Writes down who did what; it stands there when the rest of the transaction does.</summary>
    /// <param name="at">When.</param>
    /// <param name="who">Name of the key, the device, or <c>server</c>.</param>
    /// <param name="what">What was done: <c>rollout.start</c>.</param>
    /// <param name="subject">With what: <c>device edge-12</c>.</param>
    /// <param name="detail">More, in words.</param>
    public void Note(DateTimeOffset at, string who, string what, string subject, string? detail = null) => Audit.Add(new AuditEntry { At = at, Who = who, What = what, Subject = subject, Detail = detail });

    /// <summary>Number of a device's row.</summary>
    /// <exception cref="MissingException">There is no such device.</exception>
    public async Task<long> NumberOfAsync(string controllerId, CancellationToken cancellationToken) =>
        await Devices.Where(device => device.ControllerId == controllerId).Select(device => (long?)device.Id).FirstOrDefaultAsync(cancellationToken) ?? throw new MissingException($"device {controllerId}");

    /// <summary>Whoever gives a device something, or takes something away, waits here for others who do.</summary>
    public virtual Task LockDeviceAsync(long device, CancellationToken cancellationToken) => Task.CompletedTask; // SQLite has one writer

    /// <summary>The same by the device's name.</summary>
    /// <returns>Number of its row.</returns>
    /// <exception cref="MissingException">There is no such device.</exception>
    public async Task<long> LockDeviceAsync(string controllerId, CancellationToken cancellationToken)
    {
        var device = await NumberOfAsync(controllerId, cancellationToken);
        await LockDeviceAsync(device, cancellationToken);
        return device;
    }

    /// <summary>The certificates that a device has hold no longer.</summary>
    /// <returns>How many those are.</returns>
    public Task<int> RevokeCertificatesAsync(long device, DateTimeOffset now, CancellationToken cancellationToken) =>
        Certificates.Where(row => row.DeviceId == device && row.RevokedAt == null).ExecuteUpdateAsync(set => set.SetProperty(row => row.RevokedAt, now), cancellationToken);

    /// <summary>The certificates that devices use and that end until a moment, after now: they were not renewed. One that its device never showed may never have reached it.</summary>
    /// <param name="now">Now.</param>
    /// <param name="until">The moment.</param>
    /// <param name="countsUnshown">Whether those count, too, that were never shown: behind a proxy, devices show theirs to it.</param>
    public IQueryable<DeviceCertificate> WithoutRenewal(DateTimeOffset now, DateTimeOffset until, bool countsUnshown) =>
        Certificates.Where(row => row.ExpiresAt > now && row.ExpiresAt <= until && (countsUnshown || row.ShownAt != null) && row.RevokedAt == null
            && Devices.Any(device => device.Id == row.DeviceId && device.State == DeviceState.Registered)
            && !Certificates.Any(newer => newer.DeviceId == row.DeviceId && newer.Id > row.Id && (countsUnshown || newer.ShownAt != null) && newer.RevokedAt == null));

    /// <summary>What people call releases.</summary>
    public Task<Dictionary<long, string>> NamesOfAsync(IReadOnlyCollection<long> releases, CancellationToken cancellationToken) =>
        Releases.Where(release => releases.Contains(release.Id)).ToDictionaryAsync(release => release.Id, release => release.Name + " " + release.Version, cancellationToken);

    /// <inheritdoc/>
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        // SQLite has no time, and compares what EF makes of one as text.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UnixMilliseconds>();
        configurationBuilder.Properties<string>().HaveMaxLength(LongestName);
    }

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Device>(device =>
        {
            device.HasIndex(row => row.ControllerId).IsUnique();
            device.HasIndex(row => row.LastSeenAt);
            device.Property(row => row.HealthReason).HasMaxLength(LongestText);
        });
        modelBuilder.Entity<DeviceReport>(report =>
        {
            report.HasIndex(row => new { row.DeviceId, row.Batch }).IsUnique();
            report.HasOne<Device>().WithMany().HasForeignKey(row => row.DeviceId);
        });
        modelBuilder.Entity<DeviceCertificate>(certificate =>
        {
            certificate.HasIndex(row => row.Serial).IsUnique();
            certificate.HasIndex(row => row.ExpiresAt);
            certificate.HasOne<Device>().WithMany().HasForeignKey(row => row.DeviceId);
        });
        modelBuilder.Entity<ApiKey>().HasOne<ApiKey>().WithMany().HasForeignKey(row => row.SessionOf).OnDelete(DeleteBehavior.Cascade);
        modelBuilder.Entity<DeviceAttribute>(attribute =>
        {
            attribute.HasKey(row => new { row.DeviceId, row.Key });
            attribute.HasIndex(row => new { row.Key, row.Value });
            attribute.HasOne<Device>().WithMany(row => row.Attributes).HasForeignKey(row => row.DeviceId);
        });
        modelBuilder.Entity<Release>(release =>
        {
            release.Property(row => row.Notes).HasMaxLength(LongestText);
            release.HasIndex(row => new { row.Kind, row.Name, row.Version, row.Board, row.Channel }).IsUnique();
        });
        modelBuilder.Entity<ReleaseDelta>(delta =>
        {
            delta.HasKey(row => new { row.ReleaseId, row.FromVersion });
            delta.HasOne<Release>().WithMany(row => row.Deltas).HasForeignKey(row => row.ReleaseId);
        });
        modelBuilder.Entity<Artifact>(artifact =>
        {
            artifact.Property(row => row.Path).HasMaxLength(LongestText);
            artifact.Property(row => row.Sha256).HasMaxLength(HashLength);
            artifact.HasOne<Release>().WithMany(row => row.Artifacts).HasForeignKey(row => row.ReleaseId);
            artifact.HasIndex(row => new { row.ReleaseId, row.FileName }).IsUnique();
        });
        modelBuilder.Entity<UpdateAction>(action =>
        {
            action.Property(row => row.Detail).HasMaxLength(LongestText);
            // What a device has to do is asked at every poll.
            action.HasIndex(row => new { row.DeviceId, row.Id }).HasFilter("\"IsActive\"").HasDatabaseName("IX_Actions_Active");
            action.HasIndex(row => row.DeviceId);
            // The overview counts what failed lately.
            action.HasIndex(row => new { row.State, row.ChangedAt });
            action.HasIndex(row => new { row.RolloutId, row.DeviceId });
            action.HasOne<Device>().WithMany().HasForeignKey(row => row.DeviceId);
            action.HasOne<Release>().WithMany().HasForeignKey(row => row.ReleaseId);
            action.HasOne<Rollout>().WithMany().HasForeignKey(row => row.RolloutId);
        });
        modelBuilder.Entity<ActionMessage>(message =>
        {
            message.Property(row => row.Text).HasMaxLength(LongestText);
            message.HasOne<UpdateAction>().WithMany().HasForeignKey(row => row.ActionId);
        });
        modelBuilder.Entity<Rollout>(rollout =>
        {
            rollout.Property(row => row.Filter).HasMaxLength(LongestText);
            rollout.Property(row => row.Reason).HasMaxLength(LongestText);
            rollout.HasIndex(row => row.State);
            rollout.HasOne<Release>().WithMany().HasForeignKey(row => row.ReleaseId);
        });
        modelBuilder.Entity<RolloutGroup>(group =>
        {
            group.HasKey(row => new { row.RolloutId, row.Number });
            group.HasOne<Rollout>().WithMany(row => row.Groups).HasForeignKey(row => row.RolloutId);
        });
        modelBuilder.Entity<RolloutMember>(member =>
        {
            member.HasKey(row => new { row.RolloutId, row.DeviceId });
            member.Property(row => row.Reason).HasMaxLength(LongestText);
            member.HasIndex(row => new { row.RolloutId, row.GroupNumber, row.State });
            member.HasOne<Rollout>().WithMany().HasForeignKey(row => row.RolloutId);
            member.HasOne<Device>().WithMany().HasForeignKey(row => row.DeviceId);
        });
        modelBuilder.Entity<AuditEntry>(entry =>
        {
            entry.Property(row => row.Subject).HasMaxLength(LongestText);
            entry.Property(row => row.Detail).HasMaxLength(LongestText);
        });
    }

    private sealed class UnixMilliseconds() : ValueConverter<DateTimeOffset, long>(time => time.ToUnixTimeMilliseconds(), number => DateTimeOffset.FromUnixTimeMilliseconds(number));
}
