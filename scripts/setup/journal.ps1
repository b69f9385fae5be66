# What was changed, and what was there before: one line of JSON a change, in a folder of administrators.
# Get-JournalPath is defined by the script that uses this. A change of kind K is put back by the function Undo-K.

function Initialize-DataFolder {
    # Undo does as administrator what the journal says, so nobody else may write it.
    param([Parameter(Mandatory = $true)][string]$Path)
    if ($WhatIfPreference) {
        return
    }
    $administrators = New-Object Security.Principal.SecurityIdentifier('S-1-5-32-544')
    $system = New-Object Security.Principal.SecurityIdentifier('S-1-5-18')
    $users = New-Object Security.Principal.SecurityIdentifier('S-1-5-32-545')
    if (Test-Path -LiteralPath $Path) {
        $owner = (Get-Acl -LiteralPath $Path).GetOwner([Security.Principal.SecurityIdentifier])
        $self = [Security.Principal.WindowsIdentity]::GetCurrent().User
        if (@($administrators.Value, $system.Value, $self.Value) -notcontains $owner.Value) {
            throw "$Path belongs to somebody else ($($owner.Value)). Look who made it, remove it, and run this again."
        }
    } else {
        New-Item -ItemType Directory -Path $Path -Force | Out-Null
    }
    $acl = New-Object Security.AccessControl.DirectorySecurity
    $acl.SetOwner($administrators)
    $acl.SetAccessRuleProtection($true, $false)
    $below = 'ContainerInherit, ObjectInherit'
    $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($administrators, 'FullControl', $below, 'None', 'Allow')))
    $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($system, 'FullControl', $below, 'None', 'Allow')))
    $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($users, 'ReadAndExecute', $below, 'None', 'Allow')))
    Set-Acl -LiteralPath $Path -AclObject $acl
}

function Write-TextFile {
    # UTF-8 without a byte order mark, as every other program expects it.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Text)
    [IO.File]::WriteAllText($Path, $Text, (New-Object Text.UTF8Encoding($false)))
}

function Add-JournalEntry {
    param(
        [Parameter(Mandatory = $true)][string]$Kind,
        [Parameter(Mandatory = $true)][string]$Target,
        $Old = $null,
        $New = $null
    )
    $entry = [ordered]@{ time = (Get-Date).ToString('o'); kind = $Kind; target = $Target; old = $Old; new = $New }
    $line = $entry | ConvertTo-Json -Compress -Depth 6
    [IO.File]::AppendAllText((Get-JournalPath), $line + [Environment]::NewLine, (New-Object Text.UTF8Encoding($false)))
}

function Get-JournalLines {
    $path = Get-JournalPath
    if (-not (Test-Path -LiteralPath $path)) {
        return @()
    }
    return @([IO.File]::ReadAllLines($path) | Where-Object { $_.Trim() })
}

function Get-AllJournals {
    # Of every script that keeps one here.
    return @(@('worker_setup', 'master_setup') | ForEach-Object { Join-Path $DataFolder "$_.journal.jsonl" })
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
    $what = "$Kind from $(Format-Value $Old) to $(Format-Value $New)"
    if ($PSCmdlet.ShouldProcess($Target, $what)) {
        Add-JournalEntry -Kind $Kind -Target $Target -Old $Old -New $New
        & $Do | Out-Null
        Write-Host "  $Target, $what"
    }
}

function Invoke-Undo {
    # Newest first. What can't be put back stays in the journal, and does not keep the rest from being put back.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    $lines = @(Get-JournalLines)
    if ($lines.Count -eq 0) {
        Write-Host '  Nothing was changed by this script on this machine.'
        return
    }
    [array]::Reverse($lines)
    $left = @()
    foreach ($line in $lines) {
        $entry = $line | ConvertFrom-Json
        $what = "put back $($entry.kind) to $(Format-Value $entry.old)"
        if (-not $PSCmdlet.ShouldProcess([string]$entry.target, $what)) {
            continue
        }
        try {
            $undo = Get-Command -Name "Undo-$($entry.kind)" -CommandType Function
            & $undo -Entry $entry | Out-Null
            Write-Result -Good $true -Text "$($entry.target), $what"
        } catch {
            $left = @($line) + $left
            Write-Result -Good $false -Text "$($entry.target), $what failed with $($_.Exception.Message)"
        }
    }
    if ($WhatIfPreference) {
        return
    }
    if ($left.Count -gt 0) {
        Write-TextFile -Path (Get-JournalPath) -Text (($left -join [Environment]::NewLine) + [Environment]::NewLine)
        throw "$($left.Count) changes could not be put back. They stay in $(Get-JournalPath); run -Undo again when the reason is gone."
    }
    Move-Item -LiteralPath (Get-JournalPath) -Destination ((Get-JournalPath) + '.undone') -Force
}
