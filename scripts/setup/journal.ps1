# What was changed, and what was there before: one line of JSON for each change, in a folder of administrators.
# Get-JournalPath is defined by the script that uses this. A change of kind K is put back by the function Undo-K.

# Every kind of change. The number orders -Undo: lower ones are put back first, those of one number newest first.
# A service is put back after what needs it running, a rule that lets everybody in after the service behind it, a
# capability after its service, the folder of the journal last.
$Kinds = @{
    RegistryNumber = 1; FirewallRule = 1; Remoting = 1; HttpsListener = 1; Certificate = 1
    TrustedHosts = 1; AuthorizedKey = 1; KeyFileRights = 1; ExecutionPolicy = 1; PowerMinutes = 1; PowerSeconds = 1
    Hibernation = 1; PowerPlan = 2; ServiceState = 3; RuleState = 4; Capability = 5; DataFolder = 6
}

$Roles = @('worker_setup', 'master_setup')

# Administrators and SYSTEM write; users read. `O:` is the owner.
$FolderRights = 'O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BU)'

function Get-OwnFiles {
    # Names of the files that these scripts keep in the folder.
    $names = @('system.json')
    foreach ($role in $Roles) {
        $names += @("$role.journal.jsonl", "$role.journal.jsonl.undone", "$role.place")
    }
    return $names
}

function Get-PlainRights {
    # The security descriptor of a file or folder as SDDL.
    param([Parameter(Mandatory = $true)][string]$Path)
    return [string](Get-Acl -LiteralPath $Path -ErrorAction Stop).Sddl
}

function Restore-Rights {
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][string]$Sddl)
    $acl = Get-Acl -LiteralPath $Path -ErrorAction Stop
    if ([string]$acl.Sddl -eq $Sddl) {
        return
    }
    $acl.SetSecurityDescriptorSddlForm($Sddl)
    Set-Acl -LiteralPath $Path -AclObject $acl -ErrorAction Stop
}

function Get-Owner {
    param([Parameter(Mandatory = $true)][string]$Sddl)
    return [regex]::Match($Sddl, '^O:(S-[\d-]+|[A-Z]{2})').Groups[1].Value
}

function Get-Trusted {
    # Administrators, SYSTEM and TrustedInstaller, as SDDL may write them, and the account that runs this.
    return @('BA', 'S-1-5-32-544', 'SY', 'S-1-5-18', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464', (Get-HostFacts).Sid | Where-Object { $_ })
}

function Assert-OfAdministrators {
    # Undo does as administrator what the journal says: only an administrator may have written it.
    param([Parameter(Mandatory = $true)][string]$Path)
    $sddl = Get-PlainRights -Path $Path
    $owner = Get-Owner -Sddl $sddl
    if (@(Get-Trusted) -notcontains $owner) {
        throw "$Path belongs to somebody else ($owner). It is not used. Find out who made it, remove it, and run this again."
    }
}

function Get-FullPath {
    # Of a folder that need not be there; relative to the prompt's place, which is not .NET's.
    param([Parameter(Mandatory = $true)][string]$Path)
    $full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
    if ($full.Length -gt 3) {
        $full = $full.TrimEnd('\', '/')
    }
    return $full
}

function Get-FixedFolder {
    return (Get-FullPath (Join-Path $env:ProgramData 'dtui'))
}

function Get-Place {
    # The folder that an earlier run of this script was given with -DataFolder; empty when it was given none.
    $note = Join-Path (Get-FixedFolder) "$Role.place"
    if (-not (Test-Path -LiteralPath $note)) {
        return ''
    }
    Assert-OfAdministrators -Path $note
    return ([IO.File]::ReadAllText($note)).Trim()
}

function Resolve-DataFolder {
    # Where the journal is: the folder that was given, else where an earlier run put it, else the usual one.
    param([string]$Given = '')
    $place = Get-Place
    if (-not $Given) {
        if ($place) {
            return $place
        }
        return (Get-FixedFolder)
    }
    Assert-NotRoot -Path $Given
    $full = Get-FullPath $Given
    $known = $place
    if (-not $known -and $full -ne (Get-FixedFolder) -and (Test-Path -LiteralPath (Join-Path (Get-FixedFolder) "$Role.journal.jsonl"))) {
        $known = Get-FixedFolder
    }
    if ($known -and $known -ne $full) {
        throw "Earlier runs of this script keep their journal in $known. Leave -DataFolder out, or run -Undo first."
    }
    return $full
}

function Assert-NotRoot {
    param([Parameter(Mandatory = $true)][string]$Path)
    if ($Path -match '^([A-Za-z]:)?[\\/]{0,}$' -or $Path -match '^[\\/]{2}[^\\/]+[\\/]+[^\\/]+$') {
        throw "-DataFolder $Path is the root of a drive: its rights would be changed. Name a folder of its own."
    }
}

function Assert-DataFolder {
    param([Parameter(Mandatory = $true)][string]$Path)
    Assert-NotRoot -Path $Path
    if (-not (Test-Path -LiteralPath $Path)) {
        return
    }
    if (-not (Test-Path -LiteralPath $Path -PathType Container)) {
        throw "-DataFolder $Path is a file. Name a folder."
    }
    $known = @(Get-OwnFiles)
    $foreign = @(Get-ChildItem -LiteralPath $Path -Force -ErrorAction Stop | Where-Object { $known -notcontains $_.Name })
    if ($foreign.Count -gt 0) {
        throw "$Path holds other files ($($foreign[0].Name)): its rights would be changed. Name a folder that is new or empty."
    }
    Assert-OfAdministrators -Path $Path
    foreach ($item in @(Get-ChildItem -LiteralPath $Path -Force -ErrorAction Stop)) {
        Assert-OfAdministrators -Path $item.FullName
    }
}

function Initialize-DataFolder {
    param([Parameter(Mandatory = $true)][string]$Path)
    Assert-DataFolder -Path $Path
    if ($WhatIfPreference) {
        return
    }
    $fixed = Get-FixedFolder
    foreach ($folder in @($fixed, $Path | Select-Object -Unique)) {
        if ($folder -eq $Path -or -not (Test-Path -LiteralPath $folder)) {
            Restore-Folder -Path $folder
        }
    }
    if ($Path -ne $fixed) {
        Write-TextFile -Path (Join-Path $fixed "$Role.place") -Text $Path
    }
}

function Restore-Folder {
    # Makes the folder, or protects the one that is there, and notes what was there before.
    param([Parameter(Mandatory = $true)][string]$Path)
    $old = $null
    if (Test-Path -LiteralPath $Path) {
        $old = Get-PlainRights -Path $Path
        if (Test-SameRights -One $old -Other $FolderRights) {
            Copy-FolderEntry -Path $Path
            return
        }
    } else {
        try {
            New-Item -ItemType Directory -Path $Path -Force -ErrorAction Stop | Out-Null
        } catch {
            # No journal would mention it.
            Remove-EmptyFolder -Path $Path
            throw
        }
    }
    # First, so that -Undo knows of a folder whose rights could not be set.
    if ($Path -eq $DataFolder) {
        Add-JournalEntry -Kind 'DataFolder' -Target $Path -Old $old -New 'Administrators write, users read'
    }
    Restore-Rights -Path $Path -Sddl $FolderRights
}

function Get-FolderEntry {
    # The entry of a role's journal about the folder; nothing without one.
    param([Parameter(Mandatory = $true)][string]$Journal)
    if (-not (Test-Path -LiteralPath $Journal)) {
        return $null
    }
    $lines = @([IO.File]::ReadAllLines($Journal) | Where-Object { $_.Trim() })
    return (@(Read-Entries -Lines $lines | Where-Object { $null -ne $_.entry -and $_.entry.kind -eq 'DataFolder' } | ForEach-Object { $_.entry }) | Select-Object -First 1)
}

function Copy-FolderEntry {
    # Two roles share the folder: whichever is undone last puts it back.
    param([Parameter(Mandatory = $true)][string]$Path)
    if ($Path -ne $DataFolder -or $null -ne (Get-FolderEntry -Journal (Get-JournalPath))) {
        return
    }
    foreach ($name in $Roles) {
        $entry = Get-FolderEntry -Journal (Join-Path $Path "$name.journal.jsonl")
        if ($null -ne $entry) {
            Add-JournalEntry -Kind 'DataFolder' -Target $Path -Old $entry.old -New ([string](Get-Field $entry 'new'))
            return
        }
    }
}

function Test-SharedFolder {
    # Whether the journal of another role is in the folder.
    param([Parameter(Mandatory = $true)][string]$Path)
    return (@($Roles | Where-Object { $_ -ne $Role -and (Test-Path -LiteralPath (Join-Path $Path "$_.journal.jsonl")) }).Count -gt 0)
}

function Test-SameRights {
    # Whether owner and entries are the same; a group is not looked at.
    param([Parameter(Mandatory = $true)][string]$One, [Parameter(Mandatory = $true)][string]$Other)
    $plain = @($One, $Other | ForEach-Object { $_ -replace 'G:(S-[\d-]+|[A-Z]{2})', '' -replace 'D:P(AI)?\(', 'D:P(' })
    return ($plain[0] -eq $plain[1])
}

function Undo-DataFolder {
    # What the scripts keep here goes when no journal of another role needs the folder; see Remove-OwnFiles.
    param([Parameter(Mandatory = $true)]$Entry)
    if ($null -ne $Entry.old -and (Test-Path -LiteralPath $Entry.target) -and -not (Test-SharedFolder -Path $Entry.target)) {
        Restore-Rights -Path $Entry.target -Sddl ([string]$Entry.old)
    }
}

function Remove-OwnFiles {
    # After everything was put back: nothing of this script stays behind.
    param([bool]$Made = $false)
    $fixed = Get-FixedFolder
    $names = @("$Role.journal.jsonl.undone")
    if ($Role -eq 'worker_setup') {
        $names += 'system.json'
    }
    # The journal comes last of the files: as long as it is there, -Undo can be tried again.
    $journal = Get-JournalPath
    foreach ($path in @($names | ForEach-Object { Join-Path $DataFolder $_ })) {
        if (Test-Path -LiteralPath $path) {
            Remove-Item -LiteralPath $path -Force -ErrorAction Stop
        }
    }
    try {
        if (Test-Path -LiteralPath $journal) {
            Remove-Item -LiteralPath $journal -Force -ErrorAction Stop
        }
        if ($Made) {
            Remove-EmptyFolder -Path $DataFolder
        }
    } catch {
        if ($Made -and (Test-Path -LiteralPath $DataFolder) -and -not (Test-Path -LiteralPath $journal)) {
            Add-JournalEntry -Kind 'DataFolder' -Target $DataFolder -Old $null -New 'Administrators write, users read'
        }
        throw
    }
    if ($DataFolder -ne $fixed) {
        # The note of the place goes after the journal, which is found by it.
        $note = Join-Path $fixed "$Role.place"
        if (Test-Path -LiteralPath $note) {
            Remove-Item -LiteralPath $note -Force -ErrorAction Stop
        }
    }
    if ($DataFolder -ne $fixed) {
        Remove-EmptyFolder -Path $fixed
    }
}

function Remove-EmptyFolder {
    param([Parameter(Mandatory = $true)][string]$Path)
    if ((Test-Path -LiteralPath $Path) -and @(Get-ChildItem -LiteralPath $Path -Force -ErrorAction Stop).Count -eq 0) {
        Remove-Item -LiteralPath $Path -Force -ErrorAction Stop
    }
}

function Write-TextFile {
    # UTF-8 without a byte order mark, as every other program expects it.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Text)
    [IO.File]::WriteAllText($Path, $Text, (New-Object Text.UTF8Encoding($false)))
}

function Add-Bytes {
    # At the end of a file, through to the disk: after a power failure the line is there or the change was not made.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][byte[]]$Bytes)
    $stream = [IO.File]::Open($Path, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite)
    try {
        $stream.Seek(0, [IO.SeekOrigin]::End) | Out-Null
        $stream.Write($Bytes, 0, $Bytes.Length)
        $stream.Flush($true)
    } finally {
        $stream.Dispose()
    }
}

function Test-EndsInNewLine {
    # Whether something can be appended to the file as a line of its own.
    param([Parameter(Mandatory = $true)][string]$Path)
    if (-not (Test-Path -LiteralPath $Path)) {
        return $true
    }
    $bytes = [IO.File]::ReadAllBytes($Path)
    return ($bytes.Length -eq 0 -or $bytes[$bytes.Length - 1] -eq 10)
}

function Add-JournalEntry {
    param(
        [Parameter(Mandatory = $true)][string]$Kind,
        [Parameter(Mandatory = $true)][string]$Target,
        $Old = $null,
        $New = $null
    )
    $entry = [ordered]@{ time = (Get-Date).ToString('o'); kind = $Kind; target = $Target; old = $Old; new = $New }
    $line = ($entry | ConvertTo-Json -Compress -Depth 6) + [Environment]::NewLine
    if (-not (Test-EndsInNewLine -Path (Get-JournalPath))) {
        $line = [Environment]::NewLine + $line
    }
    Add-Bytes -Path (Get-JournalPath) -Bytes ((New-Object Text.UTF8Encoding($false)).GetBytes($line))
}

function Get-JournalLines {
    $path = Get-JournalPath
    if (-not (Test-Path -LiteralPath $path)) {
        return @()
    }
    return @([IO.File]::ReadAllLines($path) | Where-Object { $_.Trim() })
}

function Get-AllJournals {
    # Of every script that keeps one, here or at the usual place.
    $found = @()
    foreach ($folder in @(@($DataFolder, (Get-FixedFolder)) | Select-Object -Unique)) {
        foreach ($name in $Roles) {
            $found += @((Join-Path $folder "$name.journal.jsonl"), (Join-Path $folder "$name.place"))
        }
    }
    return $found
}

function Invoke-Change {
    # Journals first, then changes: a change that is interrupted can still be undone.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true)][string]$Kind,
        [Parameter(Mandatory = $true)][string]$Target,
        $Old = $null,
        $New = $null,
        [Parameter(Mandatory = $true)][scriptblock]$Do
    )
    $what = Format-Change -Kind $Kind -Target $Target -Value $New
    $was = Format-Change -Kind $Kind -Target $Target -Value $Old
    if ($PSCmdlet.ShouldProcess($Target, "$what (before: $was)")) {
        Add-JournalEntry -Kind $Kind -Target $Target -Old $Old -New $New
        & $Do | Out-Null
        $Progress.done += $what
        Write-Host "  $what"
    }
}

function Read-Entries {
    # The lines in the order of -Undo; `entry` is nothing where a line can't be read.
    param([string[]]$Lines = @())
    $found = @()
    for ($index = 0; $index -lt $Lines.Count; $index++) {
        $entry = $null
        try {
            $entry = $Lines[$index] | ConvertFrom-Json -ErrorAction Stop
            foreach ($name in @('kind', 'target', 'old')) {
                if ($null -eq $entry.PSObject.Properties[$name]) {
                    throw "it has no $name"
                }
            }
        } catch {
            $entry = $null
        }
        $order = 0
        if ($null -ne $entry -and $Kinds.ContainsKey([string]$entry.kind)) {
            $order = $Kinds[[string]$entry.kind]
        }
        $found += [pscustomobject]@{ index = $index; key = $order + $order + 1 - ($index + 1) / ($Lines.Count + 1); entry = $entry; line = $Lines[$index] }
    }
    return @($found | Sort-Object -Property key)
}

function Test-Needed {
    # Whether an entry that is left needs what this one would take away.
    param([Parameter(Mandatory = $true)]$Entry, [AllowEmptyCollection()][object[]]$Left = @())
    $needs = @{
        'WinRM' = @('Remoting', 'HttpsListener', 'TrustedHosts')
        'sshd' = @('AuthorizedKey', 'KeyFileRights')
    }
    $kinds = @($Left | Where-Object { $null -ne $_.entry } | ForEach-Object { [string]$_.entry.kind })
    if ($Entry.kind -eq 'ServiceState' -and $needs.ContainsKey([string]$Entry.target)) {
        return (@($kinds | Where-Object { $needs[[string]$Entry.target] -contains $_ }).Count -gt 0)
    }
    if ($Entry.kind -eq 'Capability') {
        $services = @($Left | Where-Object { $null -ne $_.entry -and $_.entry.kind -eq 'ServiceState' -and $_.entry.target -eq 'sshd' })
        return ($services.Count -gt 0 -or @($kinds | Where-Object { $needs['sshd'] -contains $_ }).Count -gt 0)
    }
    if ($Entry.kind -eq 'DataFolder') {
        return (@($Left | Where-Object { $null -ne $_.entry }).Count -gt 0)
    }
    return $false
}

function Invoke-Undo {
    # What can't be put back stays in the journal, and does not keep the rest from being put back.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    $lines = @(Get-JournalLines)
    if ($lines.Count -eq 0) {
        Write-Host '  Nothing was changed by this script on this machine.'
        return
    }
    Assert-OfAdministrators -Path (Get-JournalPath)
    $left = @()
    $made = $false
    $items = @(Read-Entries -Lines $lines)
    if (-not $WhatIfPreference) {
        Restore-ClosedRules -Entries @($items | Where-Object { $null -ne $_.entry } | ForEach-Object { $_.entry })
    }
    foreach ($item in $items) {
        $entry = $item.entry
        if ($null -eq $entry) {
            $left += $item
            Write-Result -Good $false -Text "line $($item.index + 1) of the journal can't be read and is kept: $(Get-Shown $item.line)"
            continue
        }
        $what = Format-Change -Kind ([string]$entry.kind) -Target ([string]$entry.target) -Value $entry.old
        if (-not $PSCmdlet.ShouldProcess([string]$entry.target, "put back $what")) {
            continue
        }
        if (-not $Kinds.ContainsKey([string]$entry.kind)) {
            $left += $item
            Write-Result -Good $false -Text "line $($item.index + 1) of the journal has the kind $(Get-Shown ([string]$entry.kind)), which this version does not have: it is kept"
            continue
        }
        if (Test-Needed -Entry $entry -Left $left) {
            $left += $item
            Write-Result -Good $false -Text "$what waits: what could not be put back above needs it"
            continue
        }
        try {
            & "Undo-$($entry.kind)" -Entry $entry | Out-Null
            if ($entry.kind -eq 'DataFolder' -and $null -eq $entry.old) {
                $made = $true
            }
            Write-Result -Good $true -Text "put back: $what"
        } catch {
            $left += $item
            Write-Result -Good $false -Text "$what could not be put back: $(Get-ErrorText $_)"
        }
    }
    if ($WhatIfPreference) {
        return
    }
    if ($left.Count -gt 0) {
        $kept = @($left | Sort-Object -Property index | ForEach-Object { $_.line })
        Write-TextFile -Path (Get-JournalPath) -Text (($kept -join [Environment]::NewLine) + [Environment]::NewLine)
        $bad = @($left | Where-Object { $null -eq $_.entry }).Count
        if ($bad -eq $left.Count) {
            throw "All readable entries of the journal were put back. $bad lines of it can't be read and stay in $(Get-JournalPath): look at them, then delete the file."
        }
        throw "$($left.Count) changes could not be put back. They stay in $(Get-JournalPath); run -Undo again when the reason is gone."
    }
    Remove-OwnFiles -Made $made
}

function Get-Shown {
    # The beginning of a text that may hold anything, on one line.
    param([AllowEmptyString()][string]$Text = '')
    $plain = [regex]::Replace($Text, '[^\x20-\x7e]', '?')
    if ($plain.Length -gt 60) {
        return $plain.Substring(0, 60) + '...'
    }
    return $plain
}
