namespace Appliance.Supervisor.Updates;

/// <summary>The health of the machine before an update, against which the new version is judged.</summary>
internal interface IBaseline
{
    /// <summary>Notes the present health, on the disk.</summary>
    void Take();

    /// <summary>Forgets it.</summary>
    void Drop();
}
